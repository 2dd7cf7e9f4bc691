"""How an acquisition ended."""

from dataclasses import dataclass

from gcs_ci_lock.core.record import Ended, Holder
from gcs_ci_lock.core.request import Tenure
from gcs_ci_lock.core.situation import Situation


@dataclass(frozen=True, slots=True, kw_only=True)
class Acquired:
    """The lock is ours.

    Attributes:
        waited: seconds from asking to the claim.
        previous: the last end before our claim, or None.
        expired: holders whose lease had run out and whose place was taken.
    """

    tenure: Tenure
    waited: float
    previous: Ended | None
    expired: tuple[Holder, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedOut:
    """The wait is over and the lock is not ours.

    Nothing of us is left in the bucket, as far as the server let us: see `leaves_something`.
    """

    situation: Situation


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """We were told to stop while waiting; what is left of us is as in `TimedOut`."""

    waited: float
