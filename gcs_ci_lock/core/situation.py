"""What a waiter knows of the lock at one moment, for whoever shows it to people."""

from dataclasses import dataclass

from gcs_ci_lock.core.queue import Turn
from gcs_ci_lock.core.record import Record, Slots


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """A look at the lock and its queue.

    Attributes:
        name: the lock.
        uri: gs://BUCKET/PREFIX/NAME.
        record: as `core.protocol.settled` returned it.
        turn: where the waiter stands, or None if the queue has not been looked at.
        waiters: living tickets in the queue, the waiter's own included.
        earliest: server time of the look, seconds since the epoch.
        waited: seconds since it asked.
        budget: seconds that it is ready to wait.
        slots: holders in total that the waiter tolerates, itself included.
        trouble: why the storage server cannot be asked just now, or "".
    """

    name: str
    uri: str
    record: Record
    turn: Turn | None
    waiters: int
    earliest: float
    waited: float
    budget: float
    slots: Slots = 1
    trouble: str = ""
