"""A lease that another process of the same job acquired: adopt it, check it, renew it, end it."""

from collections.abc import Callable

from gcs_ci_lock.errors import StorageUnreachable
from gcs_ci_lock.keepalive.keeper import Keeper
from gcs_ci_lock.keepalive.lease_ref import LeaseRef
from gcs_ci_lock.keepalive.thread import KeeperThread
from gcs_ci_lock.locking.client import LockClient
from gcs_ci_lock.locking.lease import LeaseState, Lost, removed_from_record
from gcs_ci_lock.locking.outcome import Released
from gcs_ci_lock.locking.own_ticket import OwnTicket
from gcs_ci_lock.locking.retry import release, retry
from gcs_ci_lock.ports import Random, Stop
from gcs_ci_lock.protocol.queue import Claimant
from gcs_ci_lock.protocol.record import LossReason, Owner
from gcs_ci_lock.protocol.transitions import NotHeld


def adopt(lock: LockClient, lease_ref: LeaseRef) -> LeaseState | Lost:
    """Find the lease in the record.

    Raises:
        StoreError: the record cannot be read.
        RecordInvalid: the object is not a record of this lock.
    """
    record = lock.read().record
    if record is not None and (holder := record.holder(lease_ref.lease)) is not None:
        return lock.confirm(holder)
    ended = record.past(lease_ref.lease) if record else None
    holders = record.holders if record else ()
    return removed_from_record(lease_ref.token, NotHeld(ended=ended, holders=holders))


def check_lease(lock: LockClient, lease_ref: LeaseRef, *, random: Random) -> Lost | None:
    """Return how the lease was lost, as far as the record shows; None: it holds.

    Raises:
        StorageUnreachable: the server does not answer.
        LockError: as raised by `adopt`.
    """
    lease = retry(lock, random, lambda: adopt(lock, lease_ref))
    return lease if isinstance(lease, Lost) else _renewal_overdue(lock, lease)


def overdue(lock: LockClient, lease_ref: LeaseRef, *, random: Random) -> Lost | None:
    """Return the loss of a lease that the record still names but that was not renewed in time.

    Raises:
        StorageUnreachable: the server does not answer.
        LockError: as raised by `adopt`.
    """
    lease = retry(lock, random, lambda: adopt(lock, lease_ref))
    return None if isinstance(lease, Lost) else _renewal_overdue(lock, lease)


def end_lease(
    lock: LockClient, lease_ref: LeaseRef, *, random: Random, loss: Lost | None = None
) -> Released | NotHeld:
    """Release the lease, or delete what an interrupted acquisition may have left: claim and ticket.

    Never changes another job's lease or ticket.

    Raises:
        StorageUnreachable: the server does not answer; the lease ends by itself.
        LockError: as raised by `LockClient.release`.
    """
    if lease_ref.token:
        return release(lock, lease_ref.lease, random=random, loss=loss)
    result = retry(lock, random, lambda: lock.void_claim(lease_ref.lease))
    retry(lock, random, lambda: _delete_ticket(lock, lease_ref))
    return result


def keep_adopted(
    lock: LockClient,
    lease_ref: LeaseRef,
    stop: Stop,
    *,
    random: Random,
    why_stopped: Callable[[], Lost | None],
    on_start: Callable[[Keeper], object] | None = None,
    on_attempt: Callable[[Keeper], object] | None = None,
    renew_now: bool = False,
) -> Released | Lost:
    """Renew a lease until the stop or until max-hold is over, then release it.

    A lost lease is not released: another job may hold the lock by then.

    Args:
        lock: must not be used by another thread.
        lease_ref: the lease.
        stop: ends the renewing.
        random: jitter.
        why_stopped: returns the loss that the stop means for the job; None: the job itself
            requested the release.
        on_start: called once, before the first renewal.
        on_attempt: called after every attempt to renew, in another thread.
        renew_now: whether the first renewal is due immediately.

    Raises:
        StorageUnreachable: the lease could not be read at the start, or not released at the end;
            it expires by itself.
        LockError: as raised by `LockClient.read` and `LockClient.release`.
    """
    lease = retry(lock, random, lambda: adopt(lock, lease_ref))
    if isinstance(lease, Lost):
        return lease
    keeper = Keeper(
        lock,
        lease,
        random=random,
        max_hold=lease_ref.max_hold_s,
        began=lease.sent_at,
        on_attempt=on_attempt,
    )
    if on_start is not None:
        on_start(keeper)
    with KeeperThread(keeper, renew_now=renew_now) as thread:
        lost = thread.wait(stop)
    if lost is not None and lost.ended is not None and lost.ended.outcome == "released":
        # The job itself has released it and needs no keeper any more.
        return Released(ended=lost.ended)
    if lost is not None and not lost.max_hold_over:
        return lost
    if thread.is_stuck:
        message = f'lock "{lease_ref.name}" was not released: a renewal hangs'
        raise StorageUnreachable(message)
    result = end_lease(lock, lease_ref, random=random, loss=lost or why_stopped())
    if not isinstance(result, Released):
        return removed_from_record(lease_ref.token, result)
    return lost or result


def _renewal_overdue(lock: LockClient, lease: LeaseState) -> Lost | None:
    boot = lock.clock.boottime()
    if lease.believes_held(boot, lock.server_clock.at(boot).latest):
        return None
    message = f"token {lease.token} was not renewed in time"
    return Lost(reason=LossReason.RENEWAL_OVERDUE, message=message)


def _delete_ticket(lock: LockClient, lease_ref: LeaseRef) -> None:
    claimant = Claimant(lease=lease_ref.lease, owner=Owner(), slots=1, ttl=lease_ref.ttl_s)
    ticket = OwnTicket(lock, claimant)
    ticket.sync(lock.tickets())
    ticket.delete()
