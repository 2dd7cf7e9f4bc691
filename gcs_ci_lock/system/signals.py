"""The two implementations of `ports.Stop`: a signal, and a condition."""

import os
import select
import signal
from collections.abc import Callable
from types import FrameType
from typing import Final, Self

from gcs_ci_lock.ports import Clock, Stop

LOOK_EVERY: Final = 0.5
STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class SignalStop:
    """A `Stop` that the first signal sets; the second signal ends the process immediately.

    A process with the number 1, as in a container, gets only the signals that it handles.
    `installed` makes the pipe and installs the signal handlers.

    Args:
        reading: descriptor of the pipe's end from which `wait` reads.
        writing: descriptor of its other end, to which a signal writes; must not block.
        before_exit: called on the second signal, before the process ends.
    """

    def __init__(
        self, reading: int, writing: int, *, before_exit: Callable[[], object] | None = None
    ) -> None:
        # A pipe and not threading.Event: a signal handler that sets an Event can meet the lock
        # that the interrupted thread holds inside wait().
        self._reading = reading
        self._writing = writing
        self._before_exit = before_exit
        self.number: int | None = None

    @classmethod
    def installed(cls, *, before_exit: Callable[[], object] | None = None) -> Self:
        """Return one that handles SIGINT, SIGTERM and SIGHUP from now on.

        Only in the main thread, and once in a process.

        Args:
            before_exit: called on the second signal, before the process ends.
        """
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        stop = cls(reading, writing, before_exit=before_exit)
        for number in STOP_SIGNALS:
            if not is_ignored_hangup(number):
                signal.signal(number, stop.handle)
        return stop

    def is_set(self) -> bool:
        """Return whether a signal has arrived."""
        return self.number is not None

    def wait(self, seconds: float, /) -> bool:
        """Wait until a signal arrives or the time is over; return whether one has arrived."""
        if not self.is_set() and seconds > 0:
            select.select([self._reading], [], [], seconds)
        return self.is_set()

    def handle(self, number: int, _frame: FrameType | None = None) -> None:
        """Handle a signal: the first sets the stop, the second ends the process."""
        if self.number is not None:
            if self._before_exit is not None:
                self._before_exit()
            os._exit(128 + number)
        self.number = number
        os.write(self._writing, b"!")

    @property
    def exit_code(self) -> int:
        """Return 128 + the signal's number, as a shell would."""
        return 128 + (self.number or signal.SIGTERM)


class StopWhen:
    """A `Stop` that a condition sets too, e.g. the lease file was deleted or the job ended.

    Args:
        stop: another stop, which sets this one too.
        condition: sets this stop while it returns True; called about twice a second during a wait.
        clock: measures the waits.
    """

    def __init__(self, stop: Stop, condition: Callable[[], bool], clock: Clock) -> None:
        self._stop = stop
        self._condition = condition
        self._clock = clock

    def is_set(self) -> bool:
        """Return whether the other stop is set or the condition holds."""
        return self._stop.is_set() or self._condition()

    def wait(self, seconds: float, /) -> bool:
        """Wait until it is set or the time is over; return whether it is set."""
        until = self._clock.boottime() + seconds
        while not self.is_set() and (left := until - self._clock.boottime()) > 0:
            self._stop.wait(min(left, LOOK_EVERY))
        return self.is_set()


def is_ignored_hangup(number: int) -> bool:
    """Return whether this is SIGHUP and the process ignores it.

    A process that was started by nohup outlives its terminal: it must go on ignoring SIGHUP.
    """
    return number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN
