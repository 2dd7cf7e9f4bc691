"""How long a waiter probably still has to wait, from how long others have held the lock."""

import math
import statistics
from dataclasses import dataclass

from gcs_ci_lock.protocol.record import Record
from gcs_ci_lock.protocol.wait_status import WaitStatus

# Older holds say little of what the jobs of today do.
HOLDS_LOOKED_AT = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A guess, for people; nothing is decided by it.

    Attributes:
        hold: seconds that a hold typically takes.
        to_go: seconds until the waiter's turn comes.
    """

    hold: float
    to_go: float


def estimate(status: WaitStatus) -> Estimate | None:
    """Return how long the waiter probably has to wait, or None where nothing is known.

    Takes no account of how long the present holders have been in, nor of leases that run out.

    Args:
        status: a look at the lock; frozen, it has no estimate: that is up to a person.
    """
    hold = typical_hold(status.record)
    if hold is None or status.position is None or status.record.frozen is not None:
        return None
    rounds = math.ceil(status.position.rank / status.capacity)
    return Estimate(hold=hold, to_go=rounds * hold)


def typical_hold(record: Record) -> float | None:
    """Return the median of the last holds that ended by a release, in seconds, or None."""
    # An expired or evicted lease tells how long it took to notice, not how long the job worked.
    released = [e for e in record.history if e.outcome == "released"][-HOLDS_LOOKED_AT:]
    holds = [max(e.ended_at - e.granted_at, 0.0) for e in released]
    return statistics.median(holds) if holds else None
