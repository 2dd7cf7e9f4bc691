"""Going on with a lease that another process of the same job acquired."""

from gcs_ci_lock.keepalive.lease_ref import LeaseRef
from gcs_ci_lock.locking.client import LockClient, Released
from gcs_ci_lock.locking.lease import Lost, removed_from_record
from gcs_ci_lock.locking.leaving import retry
from gcs_ci_lock.locking.own_ticket import OwnTicket
from gcs_ci_lock.locking.request import LeaseState
from gcs_ci_lock.ports import Random
from gcs_ci_lock.protocol.queue import Claimant
from gcs_ci_lock.protocol.record import Owner
from gcs_ci_lock.protocol.transitions import NotHeld

RELEASE_WITHIN = 20.0


def adopt(lock: LockClient, lease_ref: LeaseRef) -> LeaseState | Lost:
    """Find the lease in the record.

    Raises:
        StoreError: the record cannot be read.
        RecordInvalid: it is none.
    """
    record = lock.read().record
    if record is not None and (holder := record.holder(lease_ref.lease)) is not None:
        return lock.confirm(holder)
    ended = record.past(lease_ref.lease) if record else None
    holders = record.holders if record else ()
    return removed_from_record(lease_ref.token, NotHeld(ended=ended, holders=holders))


def check_lease(lock: LockClient, lease_ref: LeaseRef, *, random: Random) -> Lost | None:
    """Tell by the record whether a lease that another process keeps is lost; None: it holds.

    Raises:
        StorageUnreachable: it cannot be told.
        LockError: as `adopt`.
    """
    lease = retry(lock, random, lambda: adopt(lock, lease_ref), patience=RELEASE_WITHIN)
    if isinstance(lease, Lost):
        return lease
    return _overdue(lock, lease)


def overdue(lock: LockClient, lease_ref: LeaseRef, *, random: Random) -> Lost | None:
    """Tell whether a lease that the record still names is believed no more; None: it is.

    Raises:
        StorageUnreachable: it cannot be told.
        LockError: as `adopt`.
    """
    lease = retry(lock, random, lambda: adopt(lock, lease_ref), patience=RELEASE_WITHIN)
    return None if isinstance(lease, Lost) else _overdue(lock, lease)


def _overdue(lock: LockClient, lease: LeaseState) -> Lost | None:
    boot = lock.clock.boottime()
    if lease.believes_held(boot, lock.server_clock.at(boot).latest):
        return None
    return Lost(reason=f"token {lease.token} was not renewed in time")


def release(lock: LockClient, lease: str, *, random: Random, note: str = "") -> Released | NotHeld:
    """Release a lease, trying again while the server does not answer.

    Args:
        lock: the lock.
        lease: the lease id.
        random: for jitter.
        note: why, for the history.

    Raises:
        StorageUnreachable: it never did; the lease ends by itself.
        LockError: as `LockClient.release`.
    """
    return retry(lock, random, lambda: lock.release(lease, note=note), patience=RELEASE_WITHIN)


def end_lease(
    lock: LockClient, lease_ref: LeaseRef, *, random: Random, note: str = ""
) -> Released | NotHeld:
    """Release the lease, and what a claim that was cut off may have left: claim and ticket.

    Touches nothing of anybody else.

    Raises:
        StorageUnreachable: the server never answered; the lease ends by itself.
        LockError: as `LockClient.release`.
    """
    if lease_ref.token:
        return release(lock, lease_ref.lease, random=random, note=note)
    result = retry(lock, random, lambda: lock.void_claim(lease_ref.lease), patience=RELEASE_WITHIN)
    retry(lock, random, lambda: _leave_queue(lock, lease_ref), patience=RELEASE_WITHIN)
    return result


def _leave_queue(lock: LockClient, lease_ref: LeaseRef) -> None:
    claimant = Claimant(
        lease=lease_ref.lease, owner=Owner(), slots=1, ttl=lease_ref.ttl_s, asked_at=0.0
    )
    place = OwnTicket(lock, claimant)
    place.sync(lock.tickets())
    place.delete()
