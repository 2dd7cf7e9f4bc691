"""The wish to stop that is not a signal: a lease file that is gone, a job that is over."""

from collections.abc import Callable

from gcs_ci_lock.ports import Clock, Stop

LOOK_EVERY = 0.5


class StopWhen:
    """A `Stop` that is also uttered when something outside says that the work is not wanted."""

    def __init__(self, stop: Stop, wanted: Callable[[], bool], clock: Clock) -> None:
        """Take another wish to stop, and what tells whether the work is still wanted."""
        self._stop = stop
        self._wanted = wanted
        self._clock = clock

    def is_set(self) -> bool:
        """Tell whether either has been uttered."""
        return self._stop.is_set() or not self._wanted()

    def wait(self, seconds: float, /) -> bool:
        """Wait until either is uttered or the time is over."""
        until = self._clock.boottime() + seconds
        while not self.is_set() and (left := until - self._clock.boottime()) > 0:
            self._stop.wait(min(left, LOOK_EVERY))
        return self.is_set()
