"""Locks that this process has acquired: kept alive, one or several, and given back in reverse."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from gcs_ci_lock.errors import LeaseLost, LockError
from gcs_ci_lock.keepalive.keeper import Keeper
from gcs_ci_lock.keepalive.thread import KeeperThread
from gcs_ci_lock.locking.client import LockClient, Released
from gcs_ci_lock.locking.lease import Lost, removed_from_record
from gcs_ci_lock.locking.outcome import Acquired
from gcs_ci_lock.locking.request import LockRequest
from gcs_ci_lock.locking.retry import release
from gcs_ci_lock.ports import Random, Stop
from gcs_ci_lock.report.messages import lease_lost, released_line
from gcs_ci_lock.system.signals import StopWhen

_T = TypeVar("_T")


class HeldLock:
    """One lock that this process has acquired; nobody renews it until `keep`."""

    def __init__(
        self, lock: LockClient, request: LockRequest, acquired: Acquired, *, random: Random
    ) -> None:
        """Take a lock that was just acquired."""
        self.lock = lock
        self._random = random
        self.request = request
        self.acquired = acquired
        self.keeper = Keeper(
            lock,
            acquired.lease,
            random=random,
            max_hold=request.max_hold,
            began=acquired.lease.sent_at,
        )
        self._thread: KeeperThread | None = None
        self.released = False

    @property
    def name(self) -> str:
        """The lock's name."""
        return self.request.paths.name

    def start(self) -> None:
        """Begin renewing, in a thread."""
        self._thread = KeeperThread(self.keeper)
        self._thread.start()

    def stop(self) -> None:
        """Renew no more; `keep` begins again."""
        if self._thread is not None:
            self._thread.stop()

    def lost(self) -> Lost | None:
        """Tell whether the lease is lost, by now."""
        return self.keeper.lost()

    def release(self, say: Callable[[str], object]) -> Lost | None:
        """Release the lease, and say so; or tell that it was not ours any more."""
        lease = self.acquired.lease
        if self._thread is not None and self._thread.is_stuck:
            # Two writes of one lease are never in flight together.
            say(f'Lock "{self.name}" was not released: a renewal hangs. Its lease ends by itself.')
            return None
        try:
            result = release(self.lock, lease.id, random=self._random)
        except LockError as error:
            say(f'Lock "{self.name}" could not be released: {error}. Its lease ends by itself.')
            return None
        if isinstance(result, Released):
            self.released = True
            lost = self.lost()
            if lost is None or lost.max_hold_over:
                # Else its loss is what is told.
                say(released_line(self.name, lease.token))
            return None
        return removed_from_record(lease.token, result)


_H = TypeVar("_H", bound=HeldLock)


def acquire_all(
    requests: Sequence[LockRequest],
    stop: Stop,
    take: Callable[[LockRequest, Stop], _H | None],
    *,
    say: Callable[[str], object],
) -> list[_H] | None:
    """Acquire all locks or none, in their order, within one time to wait; None: none.

    Those that are acquired are kept alive while the others are waited for, and rest at the end.

    Args:
        requests: in the order of `LockSettings.requests`.
        stop: ends the wait.
        take: acquires one lock, or tells why it could not and returns None.
        say: prints one line.

    Raises:
        LeaseLost: one was lost while another was waited for.
        LockError: one is not to be had; none is held then.
    """
    held: list[_H] = []
    try:
        for request in requests:
            one = take(_beside(request, held), _while_held(stop, held))
            if one is None:
                _end_if_lost(held)
                release_all(held, say)
                return None
            held.append(one)
            one.start()
        _end_if_lost(held)
    except LockError:
        release_all(held, say)
        raise
    stop_renewing(held)
    return held


def renewed_while(held: Sequence[HeldLock], work: Callable[[], _T]) -> _T:
    """Renew the leases in threads while something else is done in this one."""
    for one in held:
        one.start()
    try:
        return work()
    finally:
        stop_renewing(held)


def first_loss(held: Sequence[HeldLock]) -> LeaseLost | None:
    """Return the error that tells of the first that is lost, or None while all hold."""
    losses = ((one.name, one.lost()) for one in held)
    return next((lease_lost(name, lost) for name, lost in losses if lost is not None), None)


def stop_renewing(held: Sequence[HeldLock]) -> None:
    """Renew none of them any more."""
    for one in held:
        one.stop()


def release_all(held: Sequence[HeldLock], say: Callable[[str], object]) -> LeaseLost | None:
    """Release all, the last one first; return the error that one was lost, or None."""
    stop_renewing(held)
    lost: LeaseLost | None = None
    for one in reversed(held):
        gone = one.release(say)
        if gone is not None:
            lost = lease_lost(one.name, gone)
    return lost


def _end_if_lost(held: Sequence[HeldLock]) -> None:
    if (loss := first_loss(held)) is not None:
        raise loss


def _beside(request: LockRequest, held: Sequence[HeldLock]) -> LockRequest:
    if not held:
        return request
    # Also the time that keepers took to start.
    since_first = held[0].lock.clock.boottime() - held[0].acquired.lease.sent_at
    spent = held[0].acquired.waited + since_first
    return replace(request, spent=spent, also_holding=tuple(one.name for one in held))


def _while_held(stop: Stop, held: Sequence[HeldLock]) -> Stop:
    if not held:
        return stop
    return StopWhen(stop, lambda: first_loss(held) is None, held[0].lock.clock)
