"""Renew a lease until stopped, until it is lost, or until max-hold is over.

A loss shows on the boot clock alone: a renewal that hangs does not delay it. Ask `lost()`; do not
wait for the loop. The numbers R1 to R6 are those of docs/protocol.md.

In model/lock.pml: acknowledged, no_renewal_after_give_up, no_false_loss.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from gcs_ci_lock.errors import LockError
from gcs_ci_lock.locking.client import LockClient
from gcs_ci_lock.locking.lease import LeaseState, Lost, max_hold_over, renewal_overdue
from gcs_ci_lock.ports import Random, Stop
from gcs_ci_lock.protocol.timing import backoff

RENEW_SPREAD = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class KeeperStopped:
    """The keeper was told to stop; the lease is still ours, and is to be released."""


class Keeper:
    """Renews one lease. `run` runs in one thread; everything else may be asked from any.

    Args:
        lock: nobody else uses it while `run` runs.
        lease: the lease, just acquired or adopted.
        random: jitter.
        max_hold: seconds from `began` after which the lease is not renewed any more.
        began: boot clock when the lease was acquired.
        on_attempt: called after every attempt to renew, in the thread of `run`.

    Attributes:
        trouble: why the last attempt failed, or "".
        renewals: attempts that were acknowledged.
        missed: attempts that were not.
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

    @classmethod
    def of_new_lease(
        cls, lock: LockClient, lease: LeaseState, *, random: Random, max_hold: float
    ) -> "Keeper":
        """Return the keeper of a lease that was just acquired."""
        return cls(lock, lease, random=random, max_hold=max_hold, began=lease.sent_at)

    @property
    def lock(self) -> LockClient:
        """The lock whose lease is renewed."""
        return self._lock

    @property
    def lease(self) -> LeaseState:
        """The lease as last acknowledged."""
        return self._lease

    def lost(self) -> Lost | None:
        """Return the loss of the lease by now, or None; a lost lease stays lost (step R1)."""
        # The clock first: a renewal acknowledged after this reading does not undo it.
        boot = self._lock.clock.boottime()
        latest = self._lock.server_clock.at(boot).latest
        with self._guard:
            if self._lost is None and boot >= self._ends_at:
                self._lost = max_hold_over(self._max_hold)
            if self._lost is None and not self._lease.believes_held(boot, latest):
                self._lost = renewal_overdue(self._lease, boot, self.trouble)
            return self._lost

    def run(self, stop: Stop, *, renew_now: bool = False) -> KeeperStopped | Lost:
        """Renew the lease until the stop or its loss (steps R4 and R6).

        Returns at the latest when a request has timed out.

        Args:
            stop: ends it.
            renew_now: whether the first renewal is due immediately: it shows that renewing works.
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
        """Return the boot clock of the next renewal: one interval after the send of the last."""
        interval = self._lease.timing.renew_every
        if interval is None:
            return self._ends_at
        spread = 1 + RENEW_SPREAD * (2 * self._random.fraction() - 1)
        return self._lease.sent_at + interval * spread
