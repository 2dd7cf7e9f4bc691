"""How long a lease lasts, when it is renewed, and when its holder gives it up.

Exclusion holds while give_up x (ratio of clock rates) + (error of the Date headers) <= ttl, for
ratios up to `instant.MAX_RATE_RATIO`: by that a stamp allows for what a clock has drifted.

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
# A lease without beats is this much longer than it is valid, by the same bound.
NO_RENEWAL_TTL_FACTOR = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """The times of one lease, in seconds; unsafe combinations cannot be made.

    Attributes:
        ttl: from a write to the moment a rival may take over; 30 s to 24 h.
        give_up: from the send of the last acknowledged write to "lost"; <= 2/3 ttl.
        beat: between two renewals; <= give_up / 3. None: the lease is never renewed.
    """

    ttl: float
    give_up: float
    renew_every: float | None

    def __post_init__(self) -> None:
        """Refuse what would not be safe."""
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
                f"beat {self.renew_every} s must be at most a third of give-up {self.give_up} s"
            )
            raise UsageError(message)

    @classmethod
    def for_ttl(cls, ttl: float) -> "Timing":
        """Return the timing of a lease that a keeper renews."""
        return cls(ttl=ttl, give_up=ttl * MAX_GIVE_UP_SHARE, renew_every=renew_interval(ttl))

    @classmethod
    def without_renewal(cls, max_hold: float) -> "Timing":
        """Return the timing of a lease that nobody renews and that is valid for `max_hold`."""
        longest = MAX_TTL / NO_RENEWAL_TTL_FACTOR
        if max_hold > longest:
            message = (
                f"max-hold {format_duration(max_hold)} is too long for a lease that is never "
                "renewed: "
                f"expected at most {format_duration(longest)}"
            )
            raise UsageError(message)
        # A lease can be shorter than max-hold asks for, never shorter than is safe.
        ttl = max(max_hold * NO_RENEWAL_TTL_FACTOR, MIN_TTL)
        return cls(ttl=ttl, give_up=ttl * MAX_GIVE_UP_SHARE, renew_every=None)

    @property
    def margin(self) -> float:
        """Seconds before `expires_at` at which the holder stops believing in any case."""
        return self.ttl / 6

    @property
    def read_timeout(self) -> float:
        """Seconds that one read may take."""
        return min(self.ttl / 12, 5.0)

    @property
    def write_timeout(self) -> float:
        """Seconds that one write may take."""
        return min(self.ttl / 12, 10.0)


def renew_interval(ttl: float) -> float:
    """Return the seconds between two beats of a lease of `ttl` seconds: 20 s for 120 s."""
    return ttl / 6


def backoff(attempt: int, fraction: float) -> float:
    """Return the seconds to wait before trying again: full jitter, 1 s doubling to 8 s.

    Args:
        attempt: 0 after the first failure.
        fraction: a random number in [0, 1).

    Source: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """
    return fraction * min(2.0 ** min(attempt, 3), 8.0)
