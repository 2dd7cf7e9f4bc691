"""What is said of a holder and of one's own place, wherever it is shown."""

from gcs_ci_lock.protocol.duration import format_duration
from gcs_ci_lock.protocol.record import Holder
from gcs_ci_lock.protocol.text import printable
from gcs_ci_lock.protocol.timing import renew_interval
from gcs_ci_lock.protocol.wait_status import WaitStatus
from gcs_ci_lock.report.estimate import estimate
from gcs_ci_lock.report.format import about, clock_time, place_text, slots_text


def held_text(holder: Holder, earliest: float) -> str:
    """Return since when a lock is held, until when at most, and why.

    Args:
        holder: who has it.
        earliest: server time of the look.
    """
    since = clock_time(holder.granted_at, earliest)
    for_so_long = format_duration(earliest - holder.granted_at)
    renewed = format_duration(earliest - (holder.expires_at - holder.ttl))
    expires = format_duration(holder.expires_at - earliest)
    slots = "" if holder.slots == 1 else f", slots {slots_text(holder.slots)}"
    reason = f', reason: "{printable(holder.owner.reason)}"' if holder.owner.reason else ""
    return (
        f"since {since} ({for_so_long}), renewed {renewed} ago, "
        f"expires in {expires} if not renewed, token {holder.token}{slots}{reason}"
    )


def renewals_text(status: WaitStatus) -> str:
    """Return why a lock with free slots has no room, or "" where that is not so."""
    if not status.kept_out_by_renewals:
        return ""
    beat = format_duration(renew_interval(status.shortest_ttl))
    return (
        f"renewed every {beat}, {status.capacity} at once is the most that one object takes: "
        "a longer ttl lets more in"
    )


def position_text(status: WaitStatus) -> str:
    """Return the waiter's place and how long it will probably take; "" if it is not known."""
    if status.position is None:
        return ""
    place = place_text(status.position, status.waiters)
    guess = estimate(status)
    if guess is None:
        return place
    hold = format_duration(guess.hold)
    return f"{place}, about {about(guess.to_go)} to go (holds take {hold} on average)"


def waited_text(status: WaitStatus) -> str:
    """Return how much of its time a waiter has waited."""
    return f"waited {format_duration(status.waited)} of {format_duration(status.budget)}"
