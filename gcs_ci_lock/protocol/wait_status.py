"""The status of one wait at one moment, for those who print it."""

from dataclasses import dataclass

from gcs_ci_lock.protocol.queue import QueuePosition, max_renewable
from gcs_ci_lock.protocol.record import Record
from gcs_ci_lock.protocol.slots import Slots
from gcs_ci_lock.protocol.timing import DEFAULT_TTL


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitStatus:
    """The lock and its queue as a waiter last read them.

    Attributes:
        name: the lock.
        uri: gs://BUCKET/PREFIX/NAME.
        record: as returned by `protocol.transitions.drop_expired`.
        position: the waiter's position in the queue, or None if the queue was not listed.
        waiters: active tickets in the queue, including the waiter's own.
        earliest: server time of the read, at the earliest, seconds since the epoch.
        waited: seconds since the wait for the first of its locks began.
        budget: seconds to wait at most for all of its locks.
        slots: how many jobs may hold the lock together, as the waiter allows.
        ttl: seconds that the waiter's lease would last.
        also_holding: names of the locks that the waiter holds already.
        trouble: why the storage server cannot be reached at the moment, or "".
    """

    name: str
    uri: str
    record: Record
    position: QueuePosition | None
    waiters: int
    earliest: float
    waited: float
    budget: float
    slots: Slots = 1
    ttl: float = DEFAULT_TTL
    also_holding: tuple[str, ...] = ()
    trouble: str = ""

    @property
    def shortest_ttl(self) -> float:
        """Seconds that the shortest lease lasts, of all holders and the waiter."""
        return min([self.ttl, *(holder.ttl for holder in self.record.holders)])

    @property
    def capacity(self) -> int:
        """How many jobs could hold the lock together with the waiter, itself included."""
        return int(min(self._tolerated, max_renewable(self.shortest_ttl)))

    @property
    def kept_out_by_renewals(self) -> bool:
        """Whether the waiter would fit if leases were renewed less often."""
        return self.capacity <= len(self.record.holders) < self._tolerated

    @property
    def _tolerated(self) -> Slots:
        return min([self.slots, *(holder.slots for holder in self.record.holders)])
