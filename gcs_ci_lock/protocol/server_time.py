"""Server time as an interval, from `Date` headers and the local boot clock.

The clocks of two machines are never compared: every time in a record is the storage server's.
"""

from collections.abc import Sequence
from dataclasses import dataclass

SAMPLE_AGE = 60.0
DATE_RESOLUTION = 1.0
# The highest ratio between the rates of two clocks for which the lock is safe.
MAX_RATE_RATIO = 1.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One response: the server's clock was in [date, date + 1) between `sent` and `received`.

    Attributes:
        date: the Date header, in whole seconds since the epoch.
        sent: boot clock when the request was sent, seconds.
        received: boot clock when the response was received, seconds.
    """

    date: float
    sent: float
    received: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Two bounds of the true server time, seconds since the epoch.

    `latest` is right for clocks whose rates differ by up to MAX_RATE_RATIO, however old the newest
    response is; `earliest` is as good as the local clock since that response.
    """

    earliest: float
    latest: float


@dataclass(frozen=True, slots=True)
class ServerTime:
    """What is known about the server's clock: the samples of the last minute."""

    samples: tuple[Sample, ...] = ()

    def observing(self, sample: Sample) -> "ServerTime":
        """Return the same with one more sample, without those that are a minute older."""
        fresh = (s for s in self.samples if sample.received - s.received <= SAMPLE_AGE)
        return ServerTime((*fresh, sample))

    def at(self, boot: float) -> Interval | None:
        """Return the server time at `boot`, or None before the first response."""
        if not self.samples:
            return None
        newest = self.samples[-1]
        usable = [s for s in self.samples if boot - s.received <= SAMPLE_AGE or s is newest]
        return _at(usable, boot)


def _at(samples: Sequence[Sample], boot: float) -> Interval:
    lows = [s.date - s.received + boot for s in samples]
    # A slow clock falls behind the server's until the next response. `earliest` needs no such
    # allowance: the job that takes over has just read, and give-up allows for a fast clock.
    highs = [s.date + DATE_RESOLUTION + (boot - s.sent) * MAX_RATE_RATIO for s in samples]
    if max(lows) <= min(highs):
        return Interval(earliest=max(lows), latest=min(highs))
    # The samples contradict each other (a stale Date, clocks of different rates): a wider interval.
    return Interval(earliest=min(lows), latest=max(highs))
