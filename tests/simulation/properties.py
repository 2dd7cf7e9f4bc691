"""The properties by name, and what the judge knows of a job and of a run."""

import math
from dataclasses import dataclass, field
from typing import Literal

from gcs_ci_lock.keepalive.keeper import Keeper
from gcs_ci_lock.protocol.slots import Slots
from tests.simulation.cloud import Client

Property = Literal[
    "exclusion",
    "tokens rise",
    "no foreign release",
    "no renewal after give-up",
    "no false loss",
    "bounded recovery",
    "bounded hand-over",
    "queue order",
    "no starvation",
    "no entry while frozen",
    "cancel leaves nothing",
    "newest wins",
    "sequences rise",
    "history complete",
    "no crash",
]

# By which the judge measures: not by the code's own idea of it.
GIVE_UP = 2 / 3


class BrokenError(BaseException):
    """A property does not hold; no `except Exception` of the code under test may swallow it."""

    def __init__(self, broken: Property, what: str) -> None:
        super().__init__(f"{broken}: {what}")
        self.broken = broken


@dataclass
class Seen:
    """One job as the judge sees it.

    Attributes:
        leases: every lease id that it asked with.
        asked_at: true time of its first request.
        line: the jobs among which a newer one makes older ones void, or "".
        newest: whether it makes older ones void.
        sequence: its number in its line, or None.
        ticket_sent_at: true time at which it began to write its first ticket, or infinite.
        ticket_at: true time at which that ticket was there, or infinite.
        refused_at: true time of the last write that met the limit of one a second.
        keeper: while it is inside.
        gave_up: its deadline has passed by its own clock.
        ended: it has gone for good, "" while it has not.
        ended_at: true time of that, or infinite.
        clean: it left knowing that nothing of it remains.
    """

    client: Client
    slots: Slots
    asked_at: float
    line: str = ""
    newest: bool = False
    sequence: int | None = None
    leases: list[str] = field(default_factory=list)
    ticket_sent_at: float = math.inf
    ticket_at: float = math.inf
    refused_at: float = -math.inf
    keeper: Keeper | None = None
    gave_up: bool = False
    ended: str = ""
    ended_at: float = math.inf
    clean: bool = False

    @property
    def waits(self) -> bool:
        return not self.ended and self.keeper is None

    def has_given_up(self) -> bool:
        """Tell whether its deadline has passed while it was inside; then it stays so."""
        if self.keeper is not None:
            lease = self.keeper.lease
            deadline = lease.sent_at + lease.timing.ttl * GIVE_UP
            self.gave_up = self.gave_up or self.client.machine.boottime() >= deadline
        return self.gave_up


@dataclass(frozen=True, kw_only=True)
class Expected:
    """Which of the conditional properties a run must keep.

    Attributes:
        calm: order, hand-over and recovery are as promised where requests are answered.
        no_loss: nobody loses a lease.
    """

    calm: bool
    no_loss: bool
