"""Locks that this process holds: one or several, all or none, released in reverse."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from gcs_ci_lock.errors import LeaseLost, LockError, StorageUnreachable
from gcs_ci_lock.keepalive import KeepAlive
from gcs_ci_lock.keepalive.thread import LOOK_EVERY
from gcs_ci_lock.locking.client import LockClient
from gcs_ci_lock.locking.lease import Lost, removed_from_record
from gcs_ci_lock.locking.outcome import (
    Acquired,
    NotReleased,
    Obsolete,
    Released,
    Stopped,
    TimedOut,
)
from gcs_ci_lock.locking.request import LockRequest
from gcs_ci_lock.locking.retry import release
from gcs_ci_lock.ports import Random, Stop
from gcs_ci_lock.report.messages import lease_lost
from gcs_ci_lock.system.signals import StopWhen

ReleaseResult = Released | Lost | NotReleased
_T = TypeVar("_T")


class HeldLock:
    """One lock that this process has acquired.

    Args:
        lock: the lock.
        request: what was asked for.
        acquired: what was granted.
        keepalive: renews the lease between `start` and `pause`.
        random: jitter.
    """

    def __init__(
        self,
        lock: LockClient,
        request: LockRequest,
        acquired: Acquired,
        keepalive: KeepAlive,
        *,
        random: Random,
    ) -> None:
        self.lock = lock
        self.request = request
        self.acquired = acquired
        self.keepalive = keepalive
        self._random = random

    @property
    def name(self) -> str:
        """The lock's name."""
        return self.request.paths.name

    def start(self) -> None:
        """Begin to renew, or begin again after `pause`.

        Raises:
            LockError: nothing can renew the lease here.
        """
        self.keepalive.start()

    def pause(self) -> None:
        """Stop renewing for now."""
        self.keepalive.pause()

    def lost(self) -> Lost | None:
        """Return the loss of the lease, as far as this process knows it without a request."""
        return self.keepalive.lost()

    def release(self) -> ReleaseResult:
        """Stop renewing and release the lease; write a known loss to the history.

        Returns:
            Released: we held the lease until now.
            Lost: it was lost before; if the record still named it, it is released now.
            NotReleased: it could not be released, and expires by itself.
        """
        lease = self.acquired.lease
        self.keepalive.pause()
        known = self.lost()
        if self.keepalive.is_stuck:
            # Two writes of one lease must never be in flight together.
            return known or NotReleased(error=StorageUnreachable("a renewal hangs"))
        try:
            result = release(self.lock, lease.id, random=self._random, loss=known)
        except LockError as error:
            return known or NotReleased(error=error)
        finally:
            # After the record: a keeper that finds its lease released has no loss to report.
            self.keepalive.stop()
        if isinstance(result, Released):
            return known or result
        lost = removed_from_record(lease.token, result)
        return lost if lost.ended is not None else known or lost


class HeldLocks:
    """Several locks that are acquired together: all or none.

    Args:
        locks: in the order in which they were acquired.
        on_release: called with each lock that was released, and the result.
    """

    def __init__(
        self,
        locks: Sequence[HeldLock] = (),
        *,
        on_release: Callable[[HeldLock, ReleaseResult], object],
    ) -> None:
        self.locks = list(locks)
        self._on_release = on_release

    @classmethod
    def acquire(
        cls,
        requests: Sequence[LockRequest],
        stop: Stop,
        acquire_one: Callable[[LockRequest, Stop], HeldLock | TimedOut | Obsolete | Stopped],
        *,
        on_release: Callable[[HeldLock, ReleaseResult], object],
    ) -> "HeldLocks | TimedOut | Obsolete | Stopped":
        """Acquire all locks within one time to wait, or none of them.

        The leases are renewed during the wait for the other locks, and paused at the end.

        Args:
            requests: in the order of `LockSettings.requests`.
            stop: ends the wait.
            acquire_one: acquires one lock.
            on_release: as for the class.

        Raises:
            LeaseLost: one was lost while another was waited for.
            LockError: one cannot be acquired; none is held then.
        """
        held = cls(on_release=on_release)
        try:
            for request in requests:
                outcome = acquire_one(held._following(request), held._until_lost(stop))
                if not isinstance(outcome, HeldLock):
                    held.raise_if_lost()
                    held.release()
                    return outcome
                held.locks.append(outcome)
                outcome.start()
            held.raise_if_lost()
        except LockError:
            held.release()
            raise
        held.pause()
        return held

    def start(self) -> None:
        """Begin to renew them all.

        Raises:
            LockError: nothing can renew one of them here.
        """
        for one in self.locks:
            one.start()

    def pause(self) -> None:
        """Stop renewing them for now."""
        for one in self.locks:
            one.pause()

    def renewed_while(self, work: Callable[[], _T]) -> _T:
        """Return the result of `work`; renew the leases until it returns."""
        self.start()
        try:
            return work()
        finally:
            self.pause()

    def wait(self, stop: Stop) -> None:
        """Renew the leases until the stop or the first loss."""

        def work() -> None:
            while not stop.wait(LOOK_EVERY) and self.first_loss() is None:
                pass

        self.renewed_while(work)

    def first_loss(self) -> Lost | None:
        """Return the loss of the first lock that is lost, or None while all hold."""
        return next((lost for one in self.locks if (lost := one.lost()) is not None), None)

    def raise_if_lost(self) -> None:
        """Do nothing while all leases hold.

        Raises:
            LeaseLost: one is lost.
        """
        for one in self.locks:
            if (lost := one.lost()) is not None:
                raise lease_lost(one.name, lost)

    def release(self) -> list[tuple[HeldLock, ReleaseResult]]:
        """Release them all, the last one first; return the results in that order."""
        self.pause()
        results = []
        for one in reversed(self.locks):
            result = one.release()
            self._on_release(one, result)
            results.append((one, result))
        return results

    def _following(self, request: LockRequest) -> LockRequest:
        """Return the request for one more lock: part of its time to wait is spent."""
        if not self.locks:
            return request
        first = self.locks[0]
        # Includes the time in which keepers were started.
        since_first = first.lock.clock.boottime() - first.acquired.lease.sent_at
        names = tuple(one.name for one in self.locks)
        spent = first.acquired.waited + since_first
        return replace(request, spent=spent, also_holding=names)

    def _until_lost(self, stop: Stop) -> Stop:
        if not self.locks:
            return stop
        clock = self.locks[0].lock.clock
        return StopWhen(stop, lambda: self.first_loss() is not None, clock)


def loss_on_release(results: Sequence[tuple[HeldLock, ReleaseResult]]) -> LeaseLost | None:
    """Return the error for the last loss among the results of `HeldLocks.release`, or None."""
    losses = [(one, result) for one, result in results if isinstance(result, Lost)]
    return lease_lost(losses[-1][0].name, losses[-1][1]) if losses else None


def exit_code_on_release(results: Sequence[tuple[HeldLock, ReleaseResult]]) -> int:
    """Return 0, or the exit code for locks that `HeldLocks.release` could not release."""
    failed = any(isinstance(result, NotReleased) for _, result in results)
    return StorageUnreachable.exit_code if failed else 0
