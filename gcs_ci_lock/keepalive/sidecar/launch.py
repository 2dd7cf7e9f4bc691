"""Starting a keeper without waiting for ever: an engine may hang at any request."""

import threading
from collections.abc import Callable

from gcs_ci_lock.keepalive.sidecar.errors import SidecarUnavailable
from gcs_ci_lock.keepalive.sidecar.keeper_container import KeeperContainer
from gcs_ci_lock.ports import Clock, Stop

_LOOK_EVERY = 0.2


class LaunchAttempt:
    """One keeper that is being started beside us."""

    def __init__(self, start: Callable[[], KeeperContainer]) -> None:
        """Begin.

        Args:
            start: returns the keeper that renews; raises NoSidecar.
        """
        self._start = start
        self._keeping: KeeperContainer | None = None
        self._problem: SidecarUnavailable | None = None
        self._given_up = False
        self._guard = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="starting", daemon=True)
        self._thread.start()

    def result(self, stop: Stop, clock: Clock, *, within: float) -> KeeperContainer | None:
        """Wait for the keeper; None: somebody wants to stop, and it will not be kept.

        Raises:
            NoSidecar: it could not be started, or not in time.
        """
        until = clock.boottime() + within
        while self._thread.is_alive() and clock.boottime() < until and not stop.is_set():
            self._thread.join(_LOOK_EVERY)
        with self._guard:
            if self._problem is not None:
                raise self._problem
            if self._keeping is not None:
                return self._keeping
            self._given_up = True
        if stop.is_set():
            return None
        message = f"the engine has not started the keeper within {within:g} s"
        raise SidecarUnavailable(message)

    def _run(self) -> None:
        try:
            keeping = self._start()
        except SidecarUnavailable as problem:
            self._problem = problem
            return
        with self._guard:
            self._keeping = keeping
            late = self._given_up
        if late:
            # Nobody waits for it any more; its lease has been given back.
            keeping.remove()
