"""Tells people how a wait goes on: at once, on every change, and else once a minute."""

from collections.abc import Callable, Sequence

from gcs_ci_lock.ports import Clock, Show
from gcs_ci_lock.protocol.wait_status import WaitStatus
from gcs_ci_lock.report.messages import wait_lines, wait_title

REPEAT_EVERY = 60.0


def print_lines(say: Callable[[str], object]) -> Show:
    """Return what prints lines one by one, without their title: they say it all.

    Args:
        say: prints one line.
    """

    def show(_title: str, lines: Sequence[str]) -> None:
        for line in lines:
            say(line)

    return show


class WaitLog:
    """An observer of a wait that prints."""

    def __init__(self, show: Show, *, clock: Clock, on_claim: Callable[[str], None]) -> None:
        """Print nothing yet.

        Args:
            show: prints one message.
            clock: for the repetition.
            on_claim: is given the lease id before it is claimed.
        """
        self._show = show
        self._clock = clock
        self._on_claim = on_claim
        self._told: object = None
        self._told_at = 0.0

    def on_claim(self, lease: str) -> None:
        """Hand the lease id on."""
        self._on_claim(lease)

    def on_wait(self, status: WaitStatus) -> None:
        """Print the status if it has changed, or has not been told for a minute."""
        if status.budget <= 0:
            # One try: the refusal says all of it.
            return
        boot = self._clock.boottime()
        content = _content(status)
        if content == self._told and boot - self._told_at < REPEAT_EVERY:
            return
        self._told = content
        self._told_at = boot
        self._show(wait_title(status), wait_lines(status))


def _content(status: WaitStatus) -> object:
    """Return what is worth a new message; a beat is not."""
    record = status.record
    return (
        tuple(h.lease for h in record.holders),
        record.frozen,
        status.position.rank if status.position else None,
        status.waiters,
        bool(status.trouble),
    )
