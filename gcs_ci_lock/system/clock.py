"""The system's clocks and randomness; the only importer of time, random and secrets."""

import random
import secrets
import threading
import time
from datetime import UTC, datetime

from gcs_ci_lock.errors import StoreError
from gcs_ci_lock.protocol.server_time import Interval, Sample, ServerTime

# CLOCK_BOOTTIME goes on during suspension; macOS has no such clock, so the monotonic one is used.
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
        """Sleep; a negative time does not wait at all."""
        time.sleep(max(seconds, 0.0))


class ObservedServerClock:
    """The server's time, estimated from the `Date` of its responses; thread-safe."""

    def __init__(self) -> None:
        self._known = ServerTime()
        self._guard = threading.Lock()

    def observe(self, *, date: float, sent: float, received: float) -> None:
        """Note one response; the arguments are those of `protocol.server_time.Sample`."""
        with self._guard:
            self._known = self._known.observing(Sample(date=date, sent=sent, received=received))

    def at(self, boot: float) -> Interval:
        """Return the server time at a reading of the boot clock.

        Raises:
            StoreError: no response with a `Date` has arrived yet.
        """
        now = self._known.at(boot)
        if now is None:
            message = (
                "the storage server sends no Date header, so its time is unknown: "
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


def utc_today() -> datetime:
    """Return the time by this machine's wall clock; for display only, nothing is decided by it."""
    return datetime.now(UTC)
