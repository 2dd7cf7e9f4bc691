"""How long a waiter probably still has to wait, from how long others have held the lock."""

import math
import statistics
from dataclasses import dataclass

from gcs_ci_lock.protocol.record import Record
from gcs_ci_lock.protocol.wait_status import WaitStatus

# Older holds say little about today's jobs.
HOLDS_LOOKED_AT = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A guess, for people only: the lock decides nothing by it.

    Attributes:
        hold: seconds that a job typically holds the lock.
        to_go: seconds until the waiter probably gets the lock.
    """

    hold: float
    to_go: float


def estimate(status: WaitStatus) -> Estimate | None:
    """Return how long the waiter probably still has to wait; None if that cannot be estimated.

    Ignores how long the current holders have held the lock, and leases that expire. A frozen lock
    has no estimate: a person decides when to unfreeze it.

    Args:
        status: the lock and its queue as the waiter sees them.
    """
    hold = typical_hold(status.record)
    if hold is None or status.position is None or status.record.frozen is not None:
        return None
    rounds = math.ceil(status.position.rank / status.capacity)
    return Estimate(hold=hold, to_go=rounds * hold)


def typical_hold(record: Record) -> float | None:
    """Return the median length of the last released holds, in seconds; None if there are none."""
    # An expired or evicted lease shows how long it took to notice, not how long the job worked.
    released = [e for e in record.history if e.outcome == "released"][-HOLDS_LOOKED_AT:]
    holds = [max(e.ended_at - e.granted_at, 0.0) for e in released]
    return statistics.median(holds) if holds else None
