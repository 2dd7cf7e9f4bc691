"""Faults of a storage server, for `MemoryStore`: what is lost, late or refused, and when."""

from gcs_ci_lock.errors import OutcomeUnknown
from gcs_ci_lock.storage.memory import Moment, Request
from tests.support.fakes import Fault


def nth_write(number: int, moment: Moment, *, path_end: str = "lock.json") -> Fault:
    """Lose the nth write: "before" it is carried out, or its answer "after"."""
    seen = 0

    def fault(request: Request, when: Moment) -> None:
        nonlocal seen
        if request.method != "write" or not request.path.endswith(path_end):
            return
        if when == "before":
            seen += 1
        if seen == number and when == moment:
            message = "no answer"
            raise OutcomeUnknown(message)

    return fault


def failing(method: str, times: int, *, when: Moment = "before", path: str = "") -> Fault:
    """Lose the first so many answers to a method."""
    left = times

    def fault(request: Request, moment: Moment) -> None:
        nonlocal left
        if request.method == method and moment == when and path in request.path and left:
            left -= 1
            message = "no answer"
            raise OutcomeUnknown(message)

    return fault


class Outage:
    """A server that answers nothing while it is down."""

    def __init__(self) -> None:
        self.down = False

    def __call__(self, _request: Request, when: Moment) -> None:
        if self.down and when == "before":
            message = "connection refused"
            raise OutcomeUnknown(message)
