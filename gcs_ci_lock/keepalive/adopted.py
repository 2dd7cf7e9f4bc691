"""Keeping a lease that another process of the same job acquired."""

from collections.abc import Callable

from gcs_ci_lock.errors import StorageUnreachable
from gcs_ci_lock.keepalive.handed import RELEASE_WITHIN, adopt, end_lease
from gcs_ci_lock.keepalive.keeper import Keeper
from gcs_ci_lock.keepalive.lease_ref import LeaseRef
from gcs_ci_lock.keepalive.thread import KeeperThread
from gcs_ci_lock.locking.client import LockClient, Released
from gcs_ci_lock.locking.lease import MAX_HOLD_OVER, Lost, removed_from_record
from gcs_ci_lock.locking.leaving import retry
from gcs_ci_lock.ports import Random, Stop


def keep_adopted(
    lock: LockClient,
    lease_ref: LeaseRef,
    stop: Stop,
    *,
    random: Random,
    at_work: Callable[[Keeper], object] = id,
    tried: Callable[[Keeper], object] = id,
    at_once: bool = False,
    note: Callable[[], str] = str,
) -> Released | Lost:
    """Renew a lease until the stop or the end of max-hold, then release it.

    A lease that is lost is not released: it may be another's by then, and ends by itself.

    Args:
        lock: nobody else may use it meanwhile.
        lease_ref: the lease.
        stop: ends the keeping.
        random: for jitter.
        at_work: called once, before the first renewal.
        tried: called after every attempt to renew, in another thread.
        at_once: whether the first renewal is due now.
        note: returns why it was stopped, for the history.

    Raises:
        StorageUnreachable: the lease could not be found at the beginning, or not be released at
            the end; it ends by itself.
        LockError: as `LockClient.read` and `LockClient.release`.
    """
    lease = retry(lock, random, lambda: adopt(lock, lease_ref), patience=RELEASE_WITHIN)
    if isinstance(lease, Lost):
        return lease
    keeper = Keeper(
        lock,
        lease,
        random=random,
        max_hold=lease_ref.max_hold_s,
        began=lease.sent_at,
        tried=tried,
    )
    at_work(keeper)
    with KeeperThread(keeper, at_once=at_once) as minding:
        lost = minding.wait(stop)
    if lost is not None and lost.ended is not None and lost.ended.outcome == "released":
        # By the job itself, which needs us no more.
        return Released(ended=lost.ended)
    if lost is not None and not lost.max_hold_over:
        return lost
    if minding.is_stuck:
        message = f'lock "{lease_ref.name}" was not released: a renewal hangs'
        raise StorageUnreachable(message)
    result = end_lease(lock, lease_ref, random=random, note=MAX_HOLD_OVER if lost else note())
    if not isinstance(result, Released):
        return removed_from_record(lease_ref.token, result)
    return lost or result
