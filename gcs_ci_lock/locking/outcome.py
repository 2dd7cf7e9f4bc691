"""How an acquisition ended, and how a release ended."""

from dataclasses import dataclass

from gcs_ci_lock.errors import LockError
from gcs_ci_lock.locking.lease import LeaseState
from gcs_ci_lock.protocol.obsolete import Outdated, Superseded
from gcs_ci_lock.protocol.record import PastLease, Record
from gcs_ci_lock.protocol.wait_status import WaitStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Acquired:
    """The lock is ours.

    Attributes:
        lease: the new lease.
        waited: seconds from the first request for any of the locks until the claim.
        record: the record as read just before the claim; after it, if its answer was lost.
        took_over: ends of holders that never released and that we replace (see `taken_over`).
    """

    lease: LeaseState
    waited: float
    record: Record
    took_over: tuple[PastLease, ...] = ()

    @property
    def previous(self) -> PastLease | None:
        """The last lease that ended before our claim, or None."""
        others = (e for e in reversed(self.record.history) if e.lease != self.lease.id)
        return next(others, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedOut:
    """The time to wait is over and the lock is not ours.

    Claim and ticket are withdrawn as far as the server allowed: see `may_leave_objects`.
    """

    status: WaitStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Obsolete:
    """A newer run of the same job makes this one obsolete; withdrawn as in `TimedOut`.

    Attributes:
        waited: seconds from the first request for any of the locks.
        why: what makes it obsolete.
    """

    waited: float
    why: Outdated | Superseded

    @property
    def outcome(self) -> str:
        """The outcome in one word: outdated or superseded."""
        return type(self.why).__name__.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """A stop was requested during the wait; withdrawn as in `TimedOut`."""

    waited: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """The lease was released by its holder, in this call or an earlier one.

    In model/lock.pml: check_nothing_left.

    Attributes:
        ended: its entry in the history.
    """

    ended: PastLease


@dataclass(frozen=True, slots=True, kw_only=True)
class NotReleased:
    """The lease is probably still ours, but could not be released; it ends by itself.

    Attributes:
        error: why.
    """

    error: LockError
