"""Server time as an interval, from `Date` headers and the local boot clock.

No two machines' clocks are ever compared: every time in a record is the storage server's.
"""

from collections.abc import Sequence
from dataclasses import dataclass

SAMPLE_AGE = 60.0
DATE_RESOLUTION = 1.0
# What two clocks' rates are trusted to differ by at most.
MAX_RATE_RATIO = 1.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One answer: the server's clock was in [date, date + 1) between `sent` and `received`.

    Attributes:
        date: the Date header, seconds since the epoch, whole.
        sent: boot clock when the request was sent, seconds.
        received: boot clock when the answer had come.
    """

    date: float
    sent: float
    received: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Two bounds of the true server time, seconds since the epoch.

    `latest` holds for clocks of rates up to MAX_RATE_RATIO apart, however old the newest answer
    is; `earliest` is as good as the local clock since that answer.
    """

    earliest: float
    latest: float


@dataclass(frozen=True, slots=True)
class ServerTime:
    """What is known of the server's clock: the samples of the last minute."""

    samples: tuple[Sample, ...] = ()

    def observing(self, sample: Sample) -> "ServerTime":
        """Return this with one more sample; those a minute older than it are dropped."""
        fresh = (s for s in self.samples if sample.received - s.received <= SAMPLE_AGE)
        return ServerTime((*fresh, sample))

    def at(self, boot: float) -> Interval | None:
        """Return the server time at `boot`, or None before the first answer."""
        if not self.samples:
            return None
        newest = self.samples[-1]
        usable = [s for s in self.samples if boot - s.received <= SAMPLE_AGE or s is newest]
        return _at(usable, boot)


def _at(samples: Sequence[Sample], boot: float) -> Interval:
    lows = [s.date - s.received + boot for s in samples]
    # A slow clock falls behind the server's for as long as nothing is heard. `earliest` needs no
    # such care: whoever takes over has just read, and the holder's give-up pays for a fast clock.
    highs = [s.date + DATE_RESOLUTION + (boot - s.sent) * MAX_RATE_RATIO for s in samples]
    if max(lows) <= min(highs):
        return Interval(earliest=max(lows), latest=min(highs))
    # They contradict each other (a stale Date, clocks of different rates): wider, never wrong.
    return Interval(earliest=min(lows), latest=max(highs))
