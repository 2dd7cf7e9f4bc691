"""Strategy 3: a sidecar container renews the lease; its launch has a time limit."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gcs_ci_lock.keepalive.keeper import Keeper
from gcs_ci_lock.keepalive.sidecar.engine import Engine
from gcs_ci_lock.keepalive.sidecar.errors import SidecarUnavailable
from gcs_ci_lock.keepalive.sidecar.keeper_container import KeeperContainer
from gcs_ci_lock.keepalive.sidecar.messages import KeeperSpec
from gcs_ci_lock.keepalive.sidecar.own_container import OwnContainer
from gcs_ci_lock.locking.lease import Lost
from gcs_ci_lock.ports import Clock, Stop

# Seconds that a launch may take; a shorter lease gives less.
LAUNCH_WITHIN: Final = 60.0
_LOOK_EVERY: Final = 0.2


class LaunchAttempt:
    """One launch of a keeper in a thread, because an engine may hang at any request.

    Args:
        launch: returns the keeper that renews; raises SidecarUnavailable.
    """

    def __init__(self, launch: Callable[[], KeeperContainer]) -> None:
        self._launch = launch
        self._container: KeeperContainer | None = None
        self._problem: SidecarUnavailable | None = None
        self._abandoned = False
        self._guard = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="launch", daemon=True)

    def result(self, stop: Stop, clock: Clock, *, within: float) -> KeeperContainer | None:
        """Launch the keeper and wait for it; None: a stop was requested, and no keeper will run.

        Args:
            stop: ends the waiting.
            clock: its boot time counts.
            within: seconds.

        Raises:
            SidecarUnavailable: it could not be started, or not in time.
        """
        self._thread.start()
        until = clock.boottime() + within
        while self._thread.is_alive() and clock.boottime() < until and not stop.is_set():
            self._thread.join(_LOOK_EVERY)
        with self._guard:
            if self._problem is not None:
                raise self._problem
            if self._container is not None:
                return self._container
            self._abandoned = True
        if stop.is_set():
            return None
        message = f"the engine has not started the keeper within {within:g} s"
        raise SidecarUnavailable(message)

    def _run(self) -> None:
        try:
            container = self._launch()
        except SidecarUnavailable as problem:
            self._problem = problem
            return
        with self._guard:
            self._container = container
            late = self._abandoned
        if late:
            # The launch was abandoned, and its lease is released.
            container.remove()


@dataclass(frozen=True, slots=True, kw_only=True)
class SidecarLauncher:
    """An engine that can start containers, and our own container in it.

    Attributes:
        engine: the engine.
        own_container: where the action runs.
        step: by which the post step finds the keepers again.
        stop: a request to end the step.
        clock: its boot time counts.
    """

    engine: Engine
    own_container: OwnContainer
    step: str
    stop: Stop
    clock: Clock

    def launch(self, spec: KeeperSpec) -> KeeperContainer | None:
        """Return a keeper that renews; None: a stop was requested.

        Raises:
            SidecarUnavailable: it could not be started in time.
        """
        attempt = LaunchAttempt(lambda: self.engine.start(self.own_container, spec, step=self.step))
        within = min(LAUNCH_WITHIN, spec.lease_ref.timing.give_up)
        return attempt.result(self.stop, self.clock, within=within)


class SidecarKeeper:
    """A `KeepAlive` in a container.

    Args:
        launcher: starts the container.
        spec: the lease, and what the keeper needs to renew it.
        keeper: knows the lease's deadline while no container renews it; it is never run.
    """

    def __init__(self, launcher: SidecarLauncher, spec: KeeperSpec, keeper: Keeper) -> None:
        self._launcher = launcher
        self._spec = spec
        self._keeper = keeper
        self._container: KeeperContainer | None = None

    def start(self) -> None:
        """Launch the container and wait for its first renewal; once only.

        Raises:
            SidecarUnavailable: it could not be started in time.
        """
        if self._container is None:
            self._container = self._launcher.launch(self._spec)

    def pause(self) -> None:
        """Do nothing: the container continues until `stop`."""

    def stop(self) -> None:
        """Stop the container: its lease has ended."""
        if self._container is not None:
            self._container.stop()

    def lost(self) -> Lost | None:
        """Return None while a container renews: only that container knows."""
        return None if self._container is not None else self._keeper.lost()

    @property
    def is_stuck(self) -> bool:
        """False: no renewal of this process is ever in flight."""
        return False

    def reported_loss(self) -> Lost | None:
        """Return the loss that the container has reported, or None; asks the engine."""
        status = self._container.output().status if self._container is not None else None
        return status.lost if status is not None else None
