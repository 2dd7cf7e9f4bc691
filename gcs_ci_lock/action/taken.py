"""A lock that a step has acquired, and whoever keeps its lease alive."""

from collections.abc import Callable
from dataclasses import dataclass

from gcs_ci_lock.keepalive.held import HeldLock
from gcs_ci_lock.keepalive.lease_ref import LeaseRef
from gcs_ci_lock.keepalive.sidecar import Engine, KeeperContainer, LaunchAttempt, OwnContainer
from gcs_ci_lock.keepalive.sidecar.messages import KeeperSpec
from gcs_ci_lock.locking.client import LockClient
from gcs_ci_lock.locking.lease import Lost
from gcs_ci_lock.locking.outcome import Acquired
from gcs_ci_lock.locking.request import LockRequest
from gcs_ci_lock.ports import Clock, Random, Stop

# A lease that is not renewed meanwhile is given up before, if it is a short one.
START_WITHIN = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SidecarLauncher:
    """An engine that can start containers, and our own place in it.

    Attributes:
        step: by which the post step finds the keepers again.
        stop: the wish that the step ends.
    """

    engine: Engine
    home: OwnContainer
    step: str
    stop: Stop
    clock: Clock

    def keeper(self, spec: KeeperSpec) -> KeeperContainer | None:
        """Return a keeper that renews; None: the step is to end.

        Raises:
            NoSidecar: it could not be started in time.
        """
        starting = LaunchAttempt(lambda: self.engine.start(self.home, spec, step=self.step))
        within = min(START_WITHIN, spec.lease_ref.timing.give_up)
        return starting.result(self.stop, self.clock, within=within)


class Taken(HeldLock):
    """One lock of a step.

    Its lease is kept by this process, by a container beside it, or by nobody: as its handover says.
    """

    def __init__(
        self,
        lock: LockClient,
        request: LockRequest,
        acquired: Acquired,
        *,
        random: Random,
        spec: KeeperSpec,
        beside: SidecarLauncher | None,
        given_back: Callable[[LeaseRef], object],
    ) -> None:
        """Take a lock that was just acquired.

        Args:
            lock: the lock.
            request: what was asked for.
            acquired: what was got.
            random: for jitter.
            spec: what a keeper has to be told.
            beside: where it is to be started, or None.
            given_back: is told when the lease is released.
        """
        super().__init__(lock, request, acquired, random=random)
        self.charge = spec
        self._beside = beside
        self._given_back = given_back
        self._keeping: KeeperContainer | None = None

    def keep(self) -> None:
        """Let somebody renew the lease.

        Raises:
            NoSidecar: no container could be started.
        """
        if self._beside is not None:
            self._keeping = self._beside.keeper(self.charge)
        elif self.charge.lease_ref.keeper == "process":
            super().start()

    def lost(self) -> Lost | None:
        """Tell whether the lease is lost, as far as this process can know without asking."""
        return None if self._keeping is not None else super().lost()

    def told(self) -> Lost | None:
        """Return the loss that its container has told, or None."""
        status = self._keeping.output().status if self._keeping is not None else None
        return Lost(reason=status.reason) if status is not None and status.phase == "lost" else None

    def give_back(self, say: Callable[[str], object]) -> Lost | None:
        """Release the lease, then end its keeper: one whose job has released it is told no loss."""
        lost = super().release(say)
        if self._keeping is not None:
            self._keeping.stop()
        if self.released:
            self._given_back(self.charge.lease_ref)
        return lost
