"""What a waiter knows of the lock at one moment, for whoever shows it to people."""

from dataclasses import dataclass

from gcs_ci_lock.protocol.queue import QueuePosition, max_renewable
from gcs_ci_lock.protocol.record import Record
from gcs_ci_lock.protocol.slots import Slots
from gcs_ci_lock.protocol.timing import DEFAULT_TTL


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitStatus:
    """A look at the lock and its queue.

    Attributes:
        name: the lock.
        uri: gs://BUCKET/PREFIX/NAME.
        record: as `protocol.transitions.drop_expired` returned it.
        position: where the waiter stands, or None if the queue has not been looked at.
        waiters: living tickets in the queue, the waiter's own included.
        earliest: server time of the look, seconds since the epoch.
        waited: seconds since it asked for the first of the locks that it wants together.
        budget: seconds that it is ready to wait for all of them.
        slots: holders in total that the waiter tolerates, itself included.
        ttl: seconds that the waiter's lease would last.
        beside: names of the locks that the waiter holds meanwhile.
        trouble: why the storage server cannot be asked just now, or "".
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
        """Seconds that the shortest lease lasts, of the holders' and the waiter's."""
        return min([self.ttl, *(holder.ttl for holder in self.record.holders)])

    @property
    def capacity(self) -> int:
        """Return how many holders there can be at once beside whom the waiter fits."""
        return int(min(self._tolerated, max_renewable(self.shortest_ttl)))

    @property
    def kept_out_by_renewals(self) -> bool:
        """Tell whether the waiter would fit if leases were renewed less often."""
        return self.capacity <= len(self.record.holders) < self._tolerated

    @property
    def _tolerated(self) -> Slots:
        return min([self.slots, *(holder.slots for holder in self.record.holders)])
