"""When a waiter looks at the lock again (step W4 of docs/protocol.md)."""

from typing import Final

from gcs_ci_lock.protocol.queue import QueuePosition
from gcs_ci_lock.protocol.record import Record

# Seconds between two looks of the head of the queue, and the most for everybody else.
HEAD_POLL: Final = 1.0
SLOWEST_POLL: Final = 4.0
# Looks are spread by this share, so that waiters do not ask in step.
POLL_SPREAD: Final = 0.2
# Seconds after the known end of a lease, a freeze or our settle time at which we look again.
SHORTEST_POLL: Final = 0.05


def next_pause(
    record: Record, position: QueuePosition, *, earliest: float, at_most: float, fraction: float
) -> float:
    """Return the seconds until the next look.

    Args:
        record: as `drop_expired` returned it.
        position: our place in the queue.
        earliest: server time of this look, at the earliest.
        at_most: seconds until our settle time is over, or infinite.
        fraction: a random number in [0, 1).
    """
    spread = 1 + POLL_SPREAD * (2 * fraction - 1)
    poll = min(HEAD_POLL + len(position.ahead), SLOWEST_POLL) * spread
    ends = [holder.expires_at for holder in record.holders]
    if record.frozen is not None and record.frozen.until is not None:
        ends.append(record.frozen.until)
    known = [end - earliest + SHORTEST_POLL for end in ends]
    return max(min([poll, at_most, *known]), SHORTEST_POLL)
