"""A lease as its holder believes in it, and its loss as data."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime

from gcs_ci_lock.protocol.duration import format_duration
from gcs_ci_lock.protocol.record import Holder, LossReason, PastLease
from gcs_ci_lock.protocol.text import printable
from gcs_ci_lock.protocol.timing import Timing
from gcs_ci_lock.protocol.transitions import NotHeld


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseState:
    """A lease as its own holder believes in it; the record may say otherwise.

    In model/lock.pml: BELIEVED.

    Attributes:
        id: the lease id.
        token: the fencing token.
        timing: the lease's times.
        revision: number of the last acknowledged write.
        sent_at: boot clock when that write was sent, seconds.
        expires_at: server time that the write stamped, seconds since the epoch.
    """

    id: str
    token: int
    timing: Timing
    revision: int
    sent_at: float
    expires_at: float

    @property
    def deadline(self) -> float:
        """Boot clock at which the lease is lost, whatever the record says."""
        return self.sent_at + self.timing.give_up

    def believes_held(self, boot: float, latest: float = -math.inf) -> bool:
        """Return whether the holder may still believe that it holds the lock (step R1).

        Args:
            boot: the boot clock now.
            latest: the server time now, at the latest.
        """
        return boot < self.deadline and latest < self.expires_at - self.timing.margin


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """A lease that is not ours any more, or that must not be believed in any longer.

    Attributes:
        reason: what a program acts on.
        message: one line for people, such as "token 41 expired at 14:02:11Z".
        ended: how it ended according to the record, if the record is how we know.
        holders: who holds the lock instead, likewise.
    """

    reason: LossReason
    message: str
    ended: PastLease | None = None
    holders: tuple[Holder, ...] = ()

    @property
    def max_hold_over(self) -> bool:
        """Whether only max-hold is over: the lease is still ours, and is to be released."""
        return self.reason is LossReason.MAX_HOLD


def renewal_overdue(lease: LeaseState, boot: float, trouble: str = "") -> Lost:
    """Return the loss of a holder that could not renew in time (step R4).

    Args:
        lease: the lease as last acknowledged.
        boot: the boot clock now.
        trouble: why renewing failed, or "".
    """
    silence = format_duration(boot - lease.sent_at)
    because = f" ({printable(trouble)})" if trouble else ""
    limit = format_duration(lease.timing.give_up)
    message = (
        f"token {lease.token} could not be renewed for {silence}; the limit is {limit}{because}"
    )
    return Lost(reason=LossReason.RENEWAL_OVERDUE, message=message)


def max_hold_over(max_hold: float) -> Lost:
    """Return the loss of a lease that was held for `max_hold` seconds (step R6)."""
    message = f"max-hold ({format_duration(max_hold)}) is over"
    return Lost(reason=LossReason.MAX_HOLD, message=message)


def removed_from_record(token: int, not_held: NotHeld) -> Lost:
    """Return the loss of a lease that the record does not name any more (step R5)."""
    ended = not_held.ended
    if ended is None:
        reason = LossReason.RECORD_REPLACED
        what = "is not in the record any more: somebody deleted or replaced the record"
    else:
        reason = ended.loss or LossReason(ended.outcome)
        when = datetime.fromtimestamp(ended.ended_at, UTC).strftime("%H:%M:%SZ")
        note = f' ("{printable(ended.note)}")' if ended.note else ""
        what = f"{'was evicted' if ended.outcome == 'evicted' else ended.outcome} at {when}{note}"
    return Lost(
        reason=reason, message=f"token {token} {what}", ended=ended, holders=not_held.holders
    )
