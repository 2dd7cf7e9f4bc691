"""Locks that this process has acquired: kept alive, one or several, and given back in reverse."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from gcs_ci_lock.errors import LeaseLost, LockError
from gcs_ci_lock.keepalive.handed import release
from gcs_ci_lock.keepalive.keeper import Keeper
from gcs_ci_lock.keepalive.thread import Minding
from gcs_ci_lock.locking.client import Lock, Released
from gcs_ci_lock.locking.lease import Lost, taken_away
from gcs_ci_lock.locking.outcome import Acquired
from gcs_ci_lock.locking.request import LockRequest
from gcs_ci_lock.ports import Chance, Stop
from gcs_ci_lock.report.messages import lease_lost, released_line
from gcs_ci_lock.system.signals import WantedStop

_T = TypeVar("_T")


class Held:
    """One lock that this process has acquired; nobody renews it until `keep`."""

    def __init__(
        self, lock: Lock, request: LockRequest, acquired: Acquired, *, chance: Chance
    ) -> None:
        """Take a lock that was just acquired."""
        self.lock = lock
        self._chance = chance
        self.request = request
        self.acquired = acquired
        self.keeper = Keeper(
            lock,
            acquired.tenure,
            chance=chance,
            max_hold=request.max_hold,
            began=acquired.tenure.sent_at,
        )
        self._minding: Minding | None = None
        self.released = False

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

    def lost(self) -> Lost | None:
        """Tell whether the lease is lost, by now."""
        return self.keeper.lost()

    def give_back(self, say: Callable[[str], object]) -> Lost | None:
        """Release the lease, and say so; or tell that it was not ours any more."""
        tenure = self.acquired.tenure
        if self._minding is not None and self._minding.hangs:
            # Two writes of one lease are never in flight together.
            say(f'Lock "{self.name}" was not released: a renewal hangs. Its lease ends by itself.')
            return None
        try:
            result = release(self.lock, tenure.lease, chance=self._chance)
        except LockError as error:
            say(f'Lock "{self.name}" could not be released: {error}. Its lease ends by itself.')
            return None
        if isinstance(result, Released):
            self.released = True
            lost = self.lost()
            if lost is None or lost.spent:
                # Else its loss is what is told.
                say(released_line(self.name, tenure.token))
            return None
        return taken_away(tenure.token, result)


_H = TypeVar("_H", bound=Held)


def take_all(
    requests: Sequence[LockRequest],
    stop: Stop,
    take: Callable[[LockRequest, Stop], _H | None],
    *,
    say: Callable[[str], object],
) -> list[_H] | None:
    """Acquire all locks or none, in their order, within one time to wait; None: none.

    Those that are acquired are kept alive while the others are waited for, and rest at the end.

    Args:
        requests: in the order of `Wanted.requests`.
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
                give_back(held, say)
                return None
            held.append(one)
            one.keep()
        _end_if_lost(held)
    except LockError:
        give_back(held, say)
        raise
    rest(held)
    return held


def while_kept(held: Sequence[Held], work: Callable[[], _T]) -> _T:
    """Renew the leases in threads while something else is done in this one."""
    for one in held:
        one.keep()
    try:
        return work()
    finally:
        rest(held)


def first_loss(held: Sequence[Held]) -> LeaseLost | None:
    """Return the error that tells of the first that is lost, or None while all hold."""
    losses = ((one.name, one.lost()) for one in held)
    return next((lease_lost(name, lost) for name, lost in losses if lost is not None), None)


def rest(held: Sequence[Held]) -> None:
    """Renew none of them any more."""
    for one in held:
        one.rest()


def give_back(held: Sequence[Held], say: Callable[[str], object]) -> LeaseLost | None:
    """Release all, the last one first; return the error that one was lost, or None."""
    rest(held)
    lost: LeaseLost | None = None
    for one in reversed(held):
        gone = one.give_back(say)
        if gone is not None:
            lost = lease_lost(one.name, gone)
    return lost


def _end_if_lost(held: Sequence[Held]) -> None:
    if (loss := first_loss(held)) is not None:
        raise loss


def _beside(request: LockRequest, held: Sequence[Held]) -> LockRequest:
    if not held:
        return request
    # Also the time that keepers took to start.
    since_first = held[0].lock.clock.boot() - held[0].acquired.tenure.sent_at
    spent = held[0].acquired.waited + since_first
    return replace(request, spent=spent, beside=tuple(one.name for one in held))


def _while_held(stop: Stop, held: Sequence[Held]) -> Stop:
    if not held:
        return stop
    return WantedStop(stop, lambda: first_loss(held) is None, held[0].lock.clock)
