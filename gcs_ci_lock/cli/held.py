"""Locks that this process holds: kept alive, one or several, and given back in reverse."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from gcs_ci_lock.core.loss import Lost, taken_away
from gcs_ci_lock.core.outcome import Acquired, Stopped
from gcs_ci_lock.core.request import LockRequest
from gcs_ci_lock.errors import LeaseLost, LockError
from gcs_ci_lock.handed import release
from gcs_ci_lock.keeper import Keeper
from gcs_ci_lock.lock import Lock, Released
from gcs_ci_lock.minding import Minding
from gcs_ci_lock.output import say
from gcs_ci_lock.ports import Stop
from gcs_ci_lock.report.lines import lease_lost, released_line
from gcs_ci_lock.wanted import WantedStop
from gcs_ci_lock.wiring import Connection

_T = TypeVar("_T")


class Held:
    """One lock that this process has acquired; nobody renews it until `keep`."""

    def __init__(
        self, connection: Connection, lock: Lock, request: LockRequest, acquired: Acquired
    ) -> None:
        """Take a lock that was just acquired."""
        self.connection = connection
        self.lock = lock
        self.request = request
        self.acquired = acquired
        self.keeper = Keeper(
            lock,
            acquired.tenure,
            chance=connection.chance,
            max_hold=request.max_hold,
            began=acquired.tenure.sent_at,
        )
        self._minding: Minding | None = None

    @property
    def name(self) -> str:
        """The lock's name."""
        return self.request.paths.name

    def keep(self) -> None:
        """Begin renewing, in a thread."""
        self._minding = Minding(self.keeper)
        self._minding.start()

    def rest(self) -> None:
        """Renew no more; `keep` begins again."""
        if self._minding is not None:
            self._minding.stop()

    def loss(self) -> LeaseLost | None:
        """Return the error that says that the lease is lost, or None while it holds."""
        lost = self.keeper.lost()
        return lease_lost(self.name, lost) if lost else None

    def give_back(self) -> Lost | None:
        """Release the lease, and say so; or tell that it was not ours any more."""
        tenure = self.acquired.tenure
        if self._minding is not None and self._minding.hangs:
            # Two writes of one lease are never in flight together.
            say(f'Lock "{self.name}" was not released: a renewal hangs. Its lease ends by itself.')
            return None
        try:
            result = release(self.lock, tenure.lease, chance=self.connection.chance)
        except LockError as error:
            say(f'Lock "{self.name}" could not be released: {error}. Its lease ends by itself.')
            return None
        if isinstance(result, Released):
            say(released_line(self.name, tenure.token))
            return None
        return taken_away(tenure.token, result)


def take_all(
    requests: Sequence[LockRequest],
    stop: Stop,
    take: Callable[[LockRequest, Stop], Held | Stopped],
) -> list[Held] | Stopped:
    """Acquire all locks or none, in their order, within one time to wait.

    Those that are acquired are kept alive while the others are waited for.

    Args:
        requests: in the order of `Wanted.requests`.
        stop: ends the wait.
        take: acquires one lock.

    Raises:
        LeaseLost: one was lost while another was waited for.
        LockError: one is not to be had; none is held then.
    """
    held: list[Held] = []
    try:
        for request in requests:
            one = take(_with_what_is_left(request, held), _while_held(stop, held))
            if isinstance(one, Stopped):
                rest(held)
                _raise_loss(held)
                give_back(held)
                return one
            held.append(one)
            if len(held) < len(requests):
                one.keep()
        rest(held)
        _raise_loss(held)
    except LockError:
        rest(held)
        give_back(held)
        raise
    return held


def while_kept(held: Sequence[Held], work: Callable[[], _T]) -> _T:
    """Renew the leases in threads while something else is done in this one."""
    for one in held:
        one.keep()
    try:
        return work()
    finally:
        rest(held)


def first_loss(held: Sequence[Held]) -> Lost | None:
    """Return the loss of the first that is lost, or None while all hold."""
    return next((lost for one in held if (lost := one.keeper.lost()) is not None), None)


def rest(held: Sequence[Held]) -> None:
    """Renew none of them any more."""
    for one in held:
        one.rest()


def give_back(held: Sequence[Held]) -> LeaseLost | None:
    """Release all, the last one first; return the error that one was lost, or None."""
    lost: LeaseLost | None = None
    for one in reversed(held):
        gone = one.give_back()
        if gone is not None:
            lost = lease_lost(one.name, gone)
    return lost


def _raise_loss(held: Sequence[Held]) -> None:
    for one in held:
        if (loss := one.loss()) is not None:
            raise loss


def _with_what_is_left(request: LockRequest, held: Sequence[Held]) -> LockRequest:
    spent = sum(one.acquired.waited for one in held)
    return replace(request, wait=max(request.wait - spent, 0.0))


def _while_held(stop: Stop, held: Sequence[Held]) -> Stop:
    if not held:
        return stop
    return WantedStop(stop, lambda: first_loss(held) is None, held[0].lock.clock)
