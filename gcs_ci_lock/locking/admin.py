"""Changing a lock from outside: ending another's lease, freezing, unfreezing.

Each looks at what is stored before it concludes, so that it may be called again after an answer
that did not come.
"""

from gcs_ci_lock.locking.client import LockClient
from gcs_ci_lock.protocol import transitions
from gcs_ci_lock.protocol.record import Freeze, PastLease, Record
from gcs_ci_lock.protocol.server_time import Interval
from gcs_ci_lock.protocol.transitions import NotHeld


def evict(lock: LockClient, lease: str, *, note: str) -> PastLease | NotHeld:
    """End another's lease; its holder learns it within one beat.

    Args:
        lock: the lock.
        lease: the lease id.
        note: the proof that its job is over, or who has ordered it and why.

    Raises:
        StoreError: it is not known whether it has ended; call again.
        RecordInvalid: what is there is no record of this lock.
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
    """Let nobody new enter; return the earlier freeze that was replaced, or None.

    A lock that nobody has held yet can be frozen too.

    Args:
        lock: the lock.
        frozen: the same at each call, so that it is known again after a lost answer.

    Raises:
        StoreError: it is not known whether it is frozen; call again.
        RecordInvalid: what is there is no record of this lock.
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
    """Let waiters enter again; return the freeze that was ended, or None if there was none.

    Raises:
        StoreError: it is not known whether it is frozen; call again.
        RecordInvalid: what is there is no record of this lock.
    """
    ended: Freeze | None = None

    def transition(record: Record, now: Interval) -> Record:
        nonlocal ended
        ended = transitions.drop_expired(record, now.earliest).frozen or ended
        return transitions.unfreeze(record, earliest=now.earliest)

    lock.update(transition)
    return ended
