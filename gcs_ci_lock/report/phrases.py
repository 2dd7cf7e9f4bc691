"""What is said of a holder and of one's own place, wherever it is shown."""

from gcs_ci_lock.protocol.record import Holder
from gcs_ci_lock.protocol.text import printable
from gcs_ci_lock.protocol.timing import beat_of, spoken
from gcs_ci_lock.protocol.wait_status import Situation
from gcs_ci_lock.report.estimate import estimate
from gcs_ci_lock.report.format import about, clock_time, place_text, slots_text


def held_text(holder: Holder, earliest: float) -> str:
    """Return since when a lock is held, until when at most, and why.

    Args:
        holder: who has it.
        earliest: server time of the look.
    """
    since = clock_time(holder.granted_at, earliest)
    for_so_long = spoken(earliest - holder.granted_at)
    renewed = spoken(earliest - (holder.expires_at - holder.ttl))
    expires = spoken(holder.expires_at - earliest)
    slots = "" if holder.slots == 1 else f", slots {slots_text(holder.slots)}"
    reason = f', reason: "{printable(holder.owner.reason)}"' if holder.owner.reason else ""
    return (
        f"since {since} ({for_so_long}), renewed {renewed} ago, "
        f"expires in {expires} if not renewed, token {holder.token}{slots}{reason}"
    )


def renewals_text(situation: Situation) -> str:
    """Return why a lock with free slots has no room, or "" where that is not so."""
    if not situation.kept_out_by_renewals:
        return ""
    beat = spoken(beat_of(situation.shortest_ttl))
    return (
        f"renewed every {beat}, {situation.together} at once is the most that one object takes: "
        "a longer ttl lets more in"
    )


def standing(situation: Situation) -> str:
    """Return the waiter's place and how long it will probably take; "" if it is not known."""
    if situation.turn is None:
        return ""
    place = place_text(situation.turn, situation.waiters)
    guess = estimate(situation)
    if guess is None:
        return place
    hold = spoken(guess.hold)
    return f"{place}, about {about(guess.to_go)} to go (holds take {hold} on average)"


def waited_text(situation: Situation) -> str:
    """Return how much of its time a waiter has waited."""
    return f"waited {spoken(situation.waited)} of {spoken(situation.budget)}"
