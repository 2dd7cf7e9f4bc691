"""How a lease was lost, as data with a reason for people."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime

from gcs_ci_lock.protocol.duration import format_duration
from gcs_ci_lock.protocol.record import Holder, PastLease
from gcs_ci_lock.protocol.text import printable
from gcs_ci_lock.protocol.timing import Timing
from gcs_ci_lock.protocol.transitions import NotHeld

# Also the note in the history of a lease that its keeper released for that reason.
MAX_HOLD_OVER = "max-hold is over"
TOLD_TO_STOP = "its keeper was told to stop"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseState:
    """A lease as its own holder believes in it; what the bucket says may differ.

    In model/lock.pml: BELIEVED.

    Attributes:
        lease: the lease id.
        token: the fencing token.
        timing: the lease's times.
        beat: number of the last acknowledged write.
        sent_at: boot clock when that write was begun, seconds.
        expires_at: server time that it stamped.
    """

    id: str
    token: int
    timing: Timing
    revision: int
    sent_at: float
    expires_at: float

    @property
    def deadline(self) -> float:
        """Boot clock from which on the lease is lost, whatever cannot be reached."""
        return self.sent_at + self.timing.give_up

    def believes_held(self, boot: float, latest: float = -math.inf) -> bool:
        """Tell whether the holder may still believe that it holds the lock.

        Args:
            boot: the boot clock now.
            latest: the server time now, at the latest.
        """
        return boot < self.deadline and latest < self.expires_at - self.timing.margin


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """A lease is not ours any more, or must not be believed in any longer.

    Attributes:
        reason: one line for people, e.g. "token 41 expired at 14:02:11Z".
        spent: the lease is given up because max-hold is over: it is ours to be released.
        ended: how it ended, as the record tells, if that is how we know.
        holders: who holds the lock instead, likewise.
    """

    reason: str
    max_hold_over: bool = False
    ended: PastLease | None = None
    holders: tuple[Holder, ...] = ()


def renewal_overdue(lease: LeaseState, boot: float, trouble: str = "") -> Lost:
    """Return the loss of a holder that could not renew in time.

    Args:
        lease: the lease as last acknowledged.
        boot: the boot clock now.
        trouble: what kept it from renewing, if known.
    """
    silence = format_duration(boot - lease.sent_at)
    because = f" ({printable(trouble)})" if trouble else ""
    return Lost(
        reason=f"token {lease.token} could not be renewed for {silence}, "
        f"and is given up after {format_duration(lease.timing.give_up)}{because}"
    )


def removed_from_record(token: int, not_held: NotHeld) -> Lost:
    """Return the loss of the holder of a token that the record does not name any more."""
    ended = not_held.ended
    if ended is None:
        what = "is not in the record any more: somebody deleted or replaced it"
    else:
        when = datetime.fromtimestamp(ended.ended_at, UTC).strftime("%H:%M:%SZ")
        note = f' ("{printable(ended.note)}")' if ended.note else ""
        what = f"{'was evicted' if ended.outcome == 'evicted' else ended.outcome} at {when}{note}"
    return Lost(reason=f"token {token} {what}", ended=ended, holders=not_held.holders)
