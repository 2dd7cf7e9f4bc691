"""The system's clocks, chance and signals; the only importer of time, random and secrets."""

import os
import random
import secrets
import select
import signal
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from types import FrameType

from gcs_ci_lock.errors import StoreError
from gcs_ci_lock.protocol.server_time import Interval, Sample, ServerTime

# CLOCK_BOOTTIME counts suspension; elsewhere (macOS) the monotonic clock is the nearest.
_BOOT_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_LEASE_ID_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
# 26 characters of 5 bits are 130 bits.
_LEASE_ID_LENGTH = 26


class SystemClock:
    """This machine's boot clock."""

    def boottime(self) -> float:
        """Return seconds since the machine started, suspension included."""
        return time.clock_gettime(_BOOT_CLOCK)

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(max(seconds, 0.0))


class ObservedServerClock:
    """The server's time as its answers show it; safe for several threads."""

    def __init__(self) -> None:
        """Start without knowledge."""
        self._known = ServerTime()
        self._guard = threading.Lock()

    def observe(self, *, date: float, sent: float, received: float) -> None:
        """Take one answer into account."""
        with self._guard:
            self._known = self._known.observing(Sample(date=date, sent=sent, received=received))

    def at(self, boot: float) -> Interval:
        """Return the server time at a reading of the boot clock.

        Raises:
            StoreError: no answer with a `Date` has come yet.
        """
        now = self._known.at(boot)
        if now is None:
            message = (
                "the storage server sends no Date header, so its time is not known: "
                "expected a Cloud Storage endpoint"
            )
            raise StoreError(message)
        return now


class SystemRandom:
    """Randomness of the operating system."""

    def fraction(self) -> float:
        """Return a number in [0, 1)."""
        return random.random()  # noqa: S311 - spreads requests, guards nothing

    def lease_id(self) -> str:
        """Return 130 random bits as 26 characters of [a-z2-7]."""
        return "".join(secrets.choice(_LEASE_ID_ALPHABET) for _ in range(_LEASE_ID_LENGTH))


class SignalStop:
    """A `Stop` set by the first of the signals; the second ends the process at once.

    A process with the number 1, as in a container, gets only the signals that it handles.
    """

    def __init__(self, at_once: Callable[[], object] = int) -> None:
        """Install the handlers; only in the main thread, and once in a process.

        Args:
            at_once: done at the second signal, before the process ends.
        """
        self._at_once = at_once
        self.number: int | None = None
        # A pipe and not threading.Event: a signal handler that sets an Event can meet the lock
        # that the interrupted thread holds inside wait().
        self._reading, self._writing = os.pipe()
        os.set_blocking(self._writing, False)
        for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # Whoever was started by nohup outlives its terminal.
            if one != signal.SIGHUP or signal.getsignal(one) != signal.SIG_IGN:
                signal.signal(one, self._handle)

    def is_set(self) -> bool:
        """Tell whether a signal has come."""
        return self.number is not None

    def wait(self, seconds: float, /) -> bool:
        """Wait until a signal comes or the time is over; tell whether one has come."""
        if not self.is_set() and seconds > 0:
            select.select([self._reading], [], [], seconds)
        return self.is_set()

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self.number is not None:
            self._at_once()
            os._exit(128 + number)
        self.number = number
        os.write(self._writing, b"!")

    @property
    def exit_code(self) -> int:
        """Return 128 + the signal's number, as a shell would."""
        return 128 + (self.number or signal.SIGTERM)


def utc_today() -> datetime:
    """Return this machine's idea of now, for showing dates only; nothing is decided by it."""
    return datetime.now(UTC)
