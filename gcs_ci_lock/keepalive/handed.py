"""Going on with a lease that another process of the same job acquired."""

from gcs_ci_lock.keepalive.lease_ref import Handover
from gcs_ci_lock.locking.client import Lock, Released
from gcs_ci_lock.locking.lease import Lost, taken_away
from gcs_ci_lock.locking.leaving import patiently
from gcs_ci_lock.locking.own_ticket import Place
from gcs_ci_lock.locking.request import Tenure
from gcs_ci_lock.ports import Chance
from gcs_ci_lock.protocol.queue import Claimant
from gcs_ci_lock.protocol.record import Owner
from gcs_ci_lock.protocol.transitions import NotHeld

PATIENCE = 20.0


def adopt(lock: Lock, handover: Handover) -> Tenure | Lost:
    """Find the lease in the record.

    Raises:
        StoreError: the record cannot be read.
        RecordInvalid: it is none.
    """
    record = lock.look().record
    if record is not None and (holder := record.holder(handover.lease)) is not None:
        return lock.landed(holder)
    ended = record.ended(handover.lease) if record else None
    holders = record.holders if record else ()
    return taken_away(handover.token, NotHeld(ended=ended, holders=holders))


def loss_of(lock: Lock, handover: Handover, *, chance: Chance) -> Lost | None:
    """Tell by the record whether a lease that another process keeps is lost; None: it holds.

    Raises:
        StorageUnreachable: it cannot be told.
        LockError: as `adopt`.
    """
    tenure = patiently(lock, chance, lambda: adopt(lock, handover), patience=PATIENCE)
    if isinstance(tenure, Lost):
        return tenure
    return _overdue(lock, tenure)


def overdue(lock: Lock, handover: Handover, *, chance: Chance) -> Lost | None:
    """Tell whether a lease that the record still names is believed no more; None: it is.

    Raises:
        StorageUnreachable: it cannot be told.
        LockError: as `adopt`.
    """
    tenure = patiently(lock, chance, lambda: adopt(lock, handover), patience=PATIENCE)
    return None if isinstance(tenure, Lost) else _overdue(lock, tenure)


def _overdue(lock: Lock, tenure: Tenure) -> Lost | None:
    boot = lock.clock.boot()
    if tenure.believed(boot, lock.server_clock.at(boot).latest):
        return None
    return Lost(reason=f"token {tenure.token} was not renewed in time")


def release(lock: Lock, lease: str, *, chance: Chance, note: str = "") -> Released | NotHeld:
    """Release a lease, trying again while the server does not answer.

    Args:
        lock: the lock.
        lease: the lease id.
        chance: for jitter.
        note: why, for the history.

    Raises:
        StorageUnreachable: it never did; the lease ends by itself.
        LockError: as `Lock.release`.
    """
    return patiently(lock, chance, lambda: lock.release(lease, note=note), patience=PATIENCE)


def end(lock: Lock, handover: Handover, *, chance: Chance, note: str = "") -> Released | NotHeld:
    """Release the lease, and what a claim that was cut off may have left: claim and ticket.

    Touches nothing of anybody else.

    Raises:
        StorageUnreachable: the server never answered; the lease ends by itself.
        LockError: as `Lock.release`.
    """
    if handover.token:
        return release(lock, handover.lease, chance=chance, note=note)
    result = patiently(lock, chance, lambda: lock.disown(handover.lease), patience=PATIENCE)
    patiently(lock, chance, lambda: _leave_queue(lock, handover), patience=PATIENCE)
    return result


def _leave_queue(lock: Lock, handover: Handover) -> None:
    claimant = Claimant(
        lease=handover.lease, owner=Owner(), slots=1, ttl=handover.ttl_s, asked_at=0.0
    )
    place = Place(lock, claimant)
    place.found(lock.tickets())
    place.leave()
