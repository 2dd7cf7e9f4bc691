"""How an acquisition ended."""

from dataclasses import dataclass

from gcs_ci_lock.locking.lease import LeaseState
from gcs_ci_lock.protocol.obsolete import Outdated, Superseded
from gcs_ci_lock.protocol.record import PastLease, Record
from gcs_ci_lock.protocol.wait_status import WaitStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Acquired:
    """The lock is ours.

    Attributes:
        waited: seconds to the claim, from asking for the first of the locks wanted together.
        record: the lock as it was read just before the claim; if the claim's answer was lost, as
            it was read after it.
        took_over: ends of those who never released, and whose place was taken: what `taken_over`
            returned.
    """

    lease: LeaseState
    waited: float
    record: Record
    took_over: tuple[PastLease, ...] = ()

    @property
    def previous(self) -> PastLease | None:
        """Return the last end before our claim, or None."""
        others = (e for e in reversed(self.record.history) if e.lease != self.lease.id)
        return next(others, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedOut:
    """The wait is over and the lock is not ours.

    Nothing of us is left in the bucket, as far as the server let us: see `may_leave_objects`.
    """

    status: WaitStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Obsolete:
    """A newer run of the same line makes this one void; what is left of us is as in `TimedOut`.

    Attributes:
        waited: seconds, from asking for the first of the locks wanted together.
    """

    waited: float
    why: Outdated | Superseded

    @property
    def outcome(self) -> str:
        """Return the outcome as one word: outdated or superseded."""
        return type(self.why).__name__.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """We were told to stop while waiting; what is left of us is as in `TimedOut`."""

    waited: float
