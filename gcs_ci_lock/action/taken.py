"""A lock that a step has acquired, and whoever keeps its lease alive."""

from collections.abc import Callable
from dataclasses import dataclass

from gcs_ci_lock.keepalive.held import Held
from gcs_ci_lock.keepalive.lease_ref import Handover
from gcs_ci_lock.keepalive.sidecar import Engine, Home, Keeping, Starting
from gcs_ci_lock.keepalive.sidecar.messages import Charge
from gcs_ci_lock.locking.client import Lock
from gcs_ci_lock.locking.lease import Lost
from gcs_ci_lock.locking.outcome import Acquired
from gcs_ci_lock.locking.request import LockRequest
from gcs_ci_lock.ports import Chance, Clock, Stop

# A lease that is not renewed meanwhile is given up before, if it is a short one.
START_WITHIN = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """An engine that can start containers, and our own place in it.

    Attributes:
        step: by which the post step finds the keepers again.
        stop: the wish that the step ends.
    """

    engine: Engine
    home: Home
    step: str
    stop: Stop
    clock: Clock

    def keeper(self, charge: Charge) -> Keeping | None:
        """Return a keeper that renews; None: the step is to end.

        Raises:
            NoSidecar: it could not be started in time.
        """
        starting = Starting(lambda: self.engine.start(self.home, charge, step=self.step))
        within = min(START_WITHIN, charge.handover.timing.give_up)
        return starting.result(self.stop, self.clock, within=within)


class Taken(Held):
    """One lock of a step.

    Its lease is kept by this process, by a container beside it, or by nobody: as its handover says.
    """

    def __init__(
        self,
        lock: Lock,
        request: LockRequest,
        acquired: Acquired,
        *,
        chance: Chance,
        charge: Charge,
        beside: Beside | None,
        given_back: Callable[[Handover], object],
    ) -> None:
        """Take a lock that was just acquired.

        Args:
            lock: the lock.
            request: what was asked for.
            acquired: what was got.
            chance: for jitter.
            charge: what a keeper has to be told.
            beside: where it is to be started, or None.
            given_back: is told when the lease is released.
        """
        super().__init__(lock, request, acquired, chance=chance)
        self.charge = charge
        self._beside = beside
        self._given_back = given_back
        self._keeping: Keeping | None = None

    def keep(self) -> None:
        """Let somebody renew the lease.

        Raises:
            NoSidecar: no container could be started.
        """
        if self._beside is not None:
            self._keeping = self._beside.keeper(self.charge)
        elif self.charge.handover.keeper == "process":
            super().keep()

    def lost(self) -> Lost | None:
        """Tell whether the lease is lost, as far as this process can know without asking."""
        return None if self._keeping is not None else super().lost()

    def told(self) -> Lost | None:
        """Return the loss that its container has told, or None."""
        news = self._keeping.heard().news if self._keeping is not None else None
        return Lost(reason=news.reason) if news is not None and news.phase == "lost" else None

    def give_back(self, say: Callable[[str], object]) -> Lost | None:
        """Release the lease, then end its keeper: one whose job has released it is told no loss."""
        lost = super().give_back(say)
        if self._keeping is not None:
            self._keeping.stop()
        if self.released:
            self._given_back(self.charge.handover)
        return lost
