"""Holders that need not be waited out, because they are known to be dead."""

from gcs_ci_lock.locking.admin import evict
from gcs_ci_lock.locking.client import LockClient
from gcs_ci_lock.ports import Verifier
from gcs_ci_lock.protocol.queue import QueuePosition
from gcs_ci_lock.protocol.record import Holder, Owner, Record
from gcs_ci_lock.protocol.takeover import proof_of_end
from gcs_ci_lock.protocol.text import truncated

# Seconds between two questions of the first in line about one holder.
ASK_EVERY = 60.0
# So long the next one of its repository leaves the first question to it, the third thrice as long.
ASK_AFTER = 10.0
# 60 s * 2**10 is most of a day.
_MOST_DOUBLED = 10


class DeadHolders:
    """What one waiter knows of the deaths of others."""

    def __init__(self, lock: LockClient, mine: Owner, verifier: Verifier) -> None:
        """Know of none.

        Args:
            lock: the lock.
            mine: the waiter's own job.
            verifier: is asked about the jobs of holders.
        """
        self._lock = lock
        self._mine = mine
        self._verifier = verifier
        # Lease -> boot clock when it was seen to keep us out for the first time.
        self._seen: dict[str, float] = {}

    def evict(self, record: Record, position: QueuePosition) -> bool:
        """Evict holders in our way whose jobs are over (steps W2 and E5); return whether any were.

        Raises:
            StoreError: it is not known whether all of them are evicted; call again.
        """
        if position.fits_holders or record.frozen is not None:
            return False
        boot = self._lock.clock.boottime()
        self._seen = {h.lease: self._seen.get(h.lease, boot) for h in record.holders}
        evicted = False
        for holder in record.holders:
            if proof := truncated(self._proof(holder, position, boot)):
                evict(self._lock, holder.lease, note=proof)
                evicted = True
        return evicted

    def _proof(self, holder: Holder, position: QueuePosition, boot: float) -> str:
        if proof := proof_of_end(holder.owner, self._mine):
            return proof
        # The questions of one repository are counted together, so that each asks half as often as
        # the one before: all together about twice as often as the first. It may sleep, or have no
        # permission to ask: then the others do.
        repository = (self._mine.platform, self._mine.repository)
        before = [t for t in position.ahead if (t.owner.platform, t.owner.repository) == repository]
        less = 2 ** min(len(before), _MOST_DOUBLED)
        if boot - self._seen[holder.lease] < ASK_AFTER * (less - 1):
            return ""
        every = ASK_EVERY * less
        return self._verifier.proof(holder.owner, every=every)
