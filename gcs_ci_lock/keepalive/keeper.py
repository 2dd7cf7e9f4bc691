"""Keeps a lease alive until it is told to stop, the lease is lost, or max-hold is over.

A loss is an outcome with a reason. It is told by the boot clock alone: a renewal that hangs does
not delay it, and whoever depends on the lease asks `lost()` instead of waiting for this loop.

In model/lock.pml: acknowledged, no_renewal_after_give_up, no_false_loss.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from gcs_ci_lock.errors import LockError
from gcs_ci_lock.locking.client import LockClient
from gcs_ci_lock.locking.lease import MAX_HOLD_OVER, LeaseState, Lost, renewal_overdue
from gcs_ci_lock.ports import Random, Stop
from gcs_ci_lock.protocol.duration import format_duration
from gcs_ci_lock.protocol.timing import backoff

RENEW_SPREAD = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class KeeperStopped:
    """The lease was kept alive until the stop; it is still ours to be released."""


class Keeper:
    """Renews one lease.

    `keep` runs in one thread; `lost` and `tenure` may be asked from any.
    """

    def __init__(
        self,
        lock: LockClient,
        lease: LeaseState,
        *,
        random: Random,
        max_hold: float,
        began: float,
        on_attempt: Callable[["Keeper"], object] | None = None,
    ) -> None:
        """Take a lease that was just acquired or adopted; no request is made.

        Args:
            lock: nobody else may use it while `keep` runs.
            lease: the lease.
            random: for jitter.
            max_hold: seconds from `began` after which the lease is renewed no more.
            began: boot clock when the lease was acquired.
            on_attempt: called after every attempt to renew, in the thread of `keep`.
        """
        self._lock = lock
        self._lease = lease
        self._random = random
        self._max_hold = max_hold
        self._ends_at = began + max_hold
        self._guard = threading.Lock()
        self._lost: Lost | None = None
        self._on_attempt = on_attempt
        self.trouble = ""
        self.renewals = 0
        self.missed = 0

    @property
    def lock(self) -> LockClient:
        """The lock that is kept."""
        return self._lock

    @property
    def lease(self) -> LeaseState:
        """The lease as last acknowledged."""
        return self._lease

    def lost(self) -> Lost | None:
        """Tell whether the lease is lost, by now; once lost it stays so."""
        # The clock first: a renewal acknowledged after this reading does not undo it.
        boot = self._lock.clock.boottime()
        latest = self._lock.server_clock.at(boot).latest
        with self._guard:
            if self._lost is None and boot >= self._ends_at:
                reason = f"{MAX_HOLD_OVER} ({format_duration(self._max_hold)})"
                self._lost = Lost(reason=f"token {self._lease.token}: {reason}", max_hold_over=True)
            if self._lost is None and not self._lease.believes_held(boot, latest):
                self._lost = renewal_overdue(self._lease, boot, self.trouble)
            return self._lost

    def run(self, stop: Stop, *, renew_now: bool = False) -> KeeperStopped | Lost:
        """Renew the lease again and again; returns at the latest when a request has timed out.

        Args:
            stop: ends it.
            renew_now: whether the first renewal is due now: it shows that renewing works.
        """
        failures = 0
        due = self._lock.clock.boottime() if renew_now else self._next_due()
        while (lost := self.lost()) is None:
            wake_at = min(due, self._lease.deadline, self._ends_at)
            if stop.wait(max(wake_at - self._lock.clock.boottime(), 0.0)):
                return self.lost() or KeeperStopped()
            if self._lock.clock.boottime() < due or self.lost() is not None:
                continue
            try:
                self._renew()
            except Exception as error:  # noqa: BLE001 - whatever it was, the deadline decides
                self.trouble = str(error) if isinstance(error, LockError) else repr(error)
                failures += 1
                self.missed += 1
                due = self._lock.clock.boottime() + backoff(failures - 1, self._random.fraction())
            else:
                failures = 0
                due = self._next_due()
            if self._on_attempt is not None:
                self._on_attempt(self)
        return lost

    def _renew(self) -> None:
        result = self._lock.renew(self._lease)
        boot = self._lock.clock.boottime()
        with self._guard:
            if isinstance(result, Lost):
                self._lost = self._lost or result
            # An answer that came after the deadline does not bring a lost lease back.
            elif self._lost is None and self._lease.believes_held(boot):
                self._lease = result
                self.trouble = ""
                self.renewals += 1

    def _next_due(self) -> float:
        """Return the boot clock of the next renewal: one beat after the send of the last."""
        beat = self._lease.timing.renew_every
        if beat is None:
            return self._ends_at
        spread = 1 + RENEW_SPREAD * (2 * self._random.fraction() - 1)
        return self._lease.sent_at + beat * spread
