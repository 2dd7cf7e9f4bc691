"""How long a lease lasts, when it is renewed, and when its holder gives it up.

Exclusion holds while give_up x (ratio of clock rates) + (error of the Date headers) <= ttl, for
ratios up to `server_time.MAX_RATE_RATIO`, for which a stamp allows.

In model/lock.pml: TTL, GIVE_UP, LAG, SKEW.
"""

from dataclasses import dataclass

from gcs_ci_lock.errors import UsageError
from gcs_ci_lock.protocol.duration import format_duration

MIN_TTL = 30.0
MAX_TTL = 86_400.0
DEFAULT_TTL = 120.0
# Above two thirds a clock that runs 1.25 times too slow would still believe in an expired lease.
MAX_GIVE_UP_SHARE = 2 / 3
MIN_RENEWALS_BEFORE_GIVE_UP = 3
# The ttl of a lease without renewal, as a multiple of the time that it is valid; the same bound.
NO_RENEWAL_TTL_FACTOR = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """The times of one lease, in seconds; unsafe combinations are refused.

    Attributes:
        ttl: from a write to the moment when the lease expires; 30 s to 24 h.
        give_up: from the send of the last acknowledged write to "lost"; <= 2/3 ttl.
        renew_every: between two renewals; <= give_up / 3. None: the lease is never renewed.

    Raises:
        UsageError: the combination would not be safe.
    """

    ttl: float
    give_up: float
    renew_every: float | None

    def __post_init__(self) -> None:
        if not MIN_TTL <= self.ttl <= MAX_TTL:
            message = (
                f"ttl {format_duration(self.ttl)} is out of range: "
                f"expected {format_duration(MIN_TTL)} to {format_duration(MAX_TTL)}"
            )
            raise UsageError(message)
        if not 0 < self.give_up <= self.ttl * MAX_GIVE_UP_SHARE + 1e-9:
            message = f"give-up {self.give_up} s must be at most two thirds of ttl {self.ttl} s"
            raise UsageError(message)
        if self.renew_every is not None and not (
            0 < self.renew_every <= self.give_up / MIN_RENEWALS_BEFORE_GIVE_UP + 1e-9
        ):
            message = (
                f"renewal interval {self.renew_every} s must be at most a third of give-up "
                f"{self.give_up} s"
            )
            raise UsageError(message)

    @classmethod
    def for_ttl(cls, ttl: float) -> "Timing":
        """Return the timing of a lease that a keeper renews."""
        return cls(ttl=ttl, give_up=ttl * MAX_GIVE_UP_SHARE, renew_every=renew_interval(ttl))

    @classmethod
    def without_renewal(cls, max_hold: float) -> "Timing":
        """Return the timing of a lease that is valid for `max_hold` seconds without renewal.

        Raises:
            UsageError: that is too long.
        """
        longest = MAX_TTL / NO_RENEWAL_TTL_FACTOR
        if max_hold > longest:
            message = (
                f"max-hold {format_duration(max_hold)} is too long for a lease that is never "
                "renewed: "
                f"expected at most {format_duration(longest)}"
            )
            raise UsageError(message)
        # It may last longer than max-hold needs, but not shorter than is safe.
        ttl = max(max_hold * NO_RENEWAL_TTL_FACTOR, MIN_TTL)
        return cls(ttl=ttl, give_up=ttl * MAX_GIVE_UP_SHARE, renew_every=None)

    @property
    def margin(self) -> float:
        """Seconds before `expires_at` from which the holder believes in the lease no longer."""
        return self.ttl / 6

    @property
    def read_timeout(self) -> float:
        """Seconds for one read."""
        return min(self.ttl / 12, 5.0)

    @property
    def write_timeout(self) -> float:
        """Seconds for one write."""
        return min(self.ttl / 12, 10.0)


def renew_interval(ttl: float) -> float:
    """Return the seconds between two renewals of a lease of `ttl` seconds: 20 s for 120 s."""
    return ttl / 6


def backoff(attempt: int, fraction: float) -> float:
    """Return the seconds to wait before the next attempt: full jitter, 1 s doubling to 8 s.

    Args:
        attempt: 0 after the first failure.
        fraction: a random number in [0, 1).

    Source: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """
    return fraction * min(2.0 ** min(attempt, 3), 8.0)
