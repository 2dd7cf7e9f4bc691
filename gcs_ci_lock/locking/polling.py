"""When a waiter reads the record again (step W4 of docs/protocol.md)."""

from typing import Final

from gcs_ci_lock.protocol.queue import QueuePosition
from gcs_ci_lock.protocol.record import Record

# Seconds between two polls of the head of the queue, and at most of all others.
HEAD_POLL: Final = 1.0
SLOWEST_POLL: Final = 4.0
# Polls are spread by this share, so that waiters do not poll in step.
POLL_SPREAD: Final = 0.2
# Seconds from the known end of a lease, a freeze or our settle time to the next poll.
SHORTEST_POLL: Final = 0.05


def next_pause(
    record: Record, position: QueuePosition, *, earliest: float, at_most: float, fraction: float
) -> float:
    """Return the seconds until the next poll.

    Args:
        record: as returned by `drop_expired`.
        position: our position in the queue.
        earliest: server time of this poll, at the earliest.
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
