"""Keeping a lease that another process of the same job acquired."""

from collections.abc import Callable

from gcs_ci_lock.errors import StorageUnreachable
from gcs_ci_lock.keepalive.handed import PATIENCE, adopt, end
from gcs_ci_lock.keepalive.keeper import Keeper
from gcs_ci_lock.keepalive.lease_ref import Handover
from gcs_ci_lock.keepalive.thread import Minding
from gcs_ci_lock.locking.client import Lock, Released
from gcs_ci_lock.locking.lease import MAX_HOLD_OVER, Lost, taken_away
from gcs_ci_lock.locking.leaving import patiently
from gcs_ci_lock.ports import Chance, Stop


def keep_handed(
    lock: Lock,
    handover: Handover,
    stop: Stop,
    *,
    chance: Chance,
    at_work: Callable[[Keeper], object] = id,
    tried: Callable[[Keeper], object] = id,
    at_once: bool = False,
    note: Callable[[], str] = str,
) -> Released | Lost:
    """Renew a lease until the stop or the end of max-hold, then release it.

    A lease that is lost is not released: it may be another's by then, and ends by itself.

    Args:
        lock: nobody else may use it meanwhile.
        handover: the lease.
        stop: ends the keeping.
        chance: for jitter.
        at_work: called once, before the first renewal.
        tried: called after every attempt to renew, in another thread.
        at_once: whether the first renewal is due now.
        note: returns why it was stopped, for the history.

    Raises:
        StorageUnreachable: the lease could not be found at the beginning, or not be released at
            the end; it ends by itself.
        LockError: as `Lock.look` and `Lock.release`.
    """
    tenure = patiently(lock, chance, lambda: adopt(lock, handover), patience=PATIENCE)
    if isinstance(tenure, Lost):
        return tenure
    keeper = Keeper(
        lock,
        tenure,
        chance=chance,
        max_hold=handover.max_hold_s,
        began=tenure.sent_at,
        tried=tried,
    )
    at_work(keeper)
    with Minding(keeper, at_once=at_once) as minding:
        lost = minding.until(stop)
    if lost is not None and lost.ended is not None and lost.ended.outcome == "released":
        # By the job itself, which needs us no more.
        return Released(ended=lost.ended)
    if lost is not None and not lost.spent:
        return lost
    if minding.hangs:
        message = f'lock "{handover.name}" was not released: a renewal hangs'
        raise StorageUnreachable(message)
    result = end(lock, handover, chance=chance, note=MAX_HOLD_OVER if lost else note())
    if not isinstance(result, Released):
        return taken_away(handover.token, result)
    return lost or result
