"""Change a lock from outside: evict a lease, freeze, unfreeze.

Each function can be called again after a lost response: it reads the record before it concludes.
"""

from gcs_ci_lock.locking.client import LockClient
from gcs_ci_lock.protocol import transitions
from gcs_ci_lock.protocol.record import Freeze, PastLease, Record
from gcs_ci_lock.protocol.server_time import Interval
from gcs_ci_lock.protocol.transitions import NotHeld


def evict(lock: LockClient, lease: str, *, note: str) -> PastLease | NotHeld:
    """End the lease of another job; its holder finds out at its next renewal.

    Args:
        lock: the lock.
        lease: the lease id.
        note: the proof that its job is over, or who ordered the eviction and why.

    Raises:
        StoreError: it is not known whether the lease has ended; call again.
        RecordInvalid: the object is not a record of this lock.
    """

    def transition(record: Record, now: Interval) -> Record:
        result = transitions.evict(record, lease, earliest=now.earliest, note=note)
        return record if isinstance(result, NotHeld) else result.record

    record = lock.update(transition)
    ended = record.past(lease)
    if ended is not None and ended.outcome == "evicted":
        return ended
    return NotHeld(ended=ended, holders=record.holders)


def freeze(lock: LockClient, frozen: Freeze) -> Freeze | None:
    """Stop granting the lock; return the freeze that was replaced, or None.

    A lock that was never held can be frozen too.

    Args:
        lock: the lock.
        frozen: the same at each call, so that it is recognised after a lost response.

    Raises:
        StoreError: it is not known whether the lock is frozen; call again.
        RecordInvalid: the object is not a record of this lock.
    """
    replaced: Freeze | None = None

    def transition(record: Record, now: Interval) -> Record:
        nonlocal replaced
        earlier = transitions.drop_expired(record, now.earliest).frozen
        replaced = earlier if earlier != frozen else replaced
        return transitions.freeze(record, frozen)

    lock.update(transition)
    return replaced


def unfreeze(lock: LockClient) -> Freeze | None:
    """Grant the lock again; return the freeze that was ended, or None if it was not frozen.

    Raises:
        StoreError: it is not known whether the lock is frozen; call again.
        RecordInvalid: the object is not a record of this lock.
    """
    ended: Freeze | None = None

    def transition(record: Record, now: Interval) -> Record:
        nonlocal ended
        ended = transitions.drop_expired(record, now.earliest).frozen or ended
        return transitions.unfreeze(record, earliest=now.earliest)

    lock.update(transition)
    return ended
