"""Owners, times, positions and estimates as words; foreign text only as `printable` leaves it."""

import math
import re
from datetime import UTC, datetime

from gcs_ci_lock.protocol.duration import format_duration
from gcs_ci_lock.protocol.queue import QueuePosition
from gcs_ci_lock.protocol.record import Freeze, Holder, Owner
from gcs_ci_lock.protocol.slots import format_slots
from gcs_ci_lock.protocol.text import MAX_FOREIGN, printable
from gcs_ci_lock.protocol.wait_status import WaitStatus
from gcs_ci_lock.report.estimate import estimate

_ORDINALS = {1: "st", 2: "nd", 3: "rd"}
_TEENS = range(11, 14)
# Up to 90 s an estimate is given in steps of ten seconds, up to an hour in minutes.
_SECONDS_COUNT = 90
_MINUTES_COUNT = 60
_PAGE = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9/._~%+=?#@,-]*)?")


def who(owner: Owner) -> str:
    """Return an owner as `acme/api > deploy (alice)`."""
    if owner.platform == "local":
        place = f"{owner.actor or 'unknown user'} on {owner.runner or 'unknown machine'}"
        return printable(place)
    place = " > ".join(part for part in (owner.repository, owner.workflow, owner.job) if part)
    actor = f" ({owner.actor})" if owner.actor else ""
    return printable((place or owner.platform or "unknown owner") + actor)


def link(owner: Owner) -> str:
    """Return the owner's page if it looks like one, or ""; it is safe to paste into a shell."""
    url = owner.url
    return url if len(url) <= MAX_FOREIGN and _PAGE.fullmatch(url) else ""


def clock_time(at: float, today: float) -> str:
    """Return a time as 14:02:11Z, with its date if that is not today's."""
    moment = datetime.fromtimestamp(at, UTC)
    same_day = moment.date() == datetime.fromtimestamp(today, UTC).date()
    return moment.strftime("%H:%M:%SZ" if same_day else "%Y-%m-%d %H:%M:%SZ")


def freeze_text(frozen: Freeze, today: float) -> str:
    """Return who froze a lock, since when, until when and why."""
    return (
        f"by {printable(frozen.author)} since {clock_time(frozen.since, today)}, "
        f"until {freeze_end(frozen, today)}, "
        f'reason: "{printable(frozen.reason)}"'
    )


def freeze_end(frozen: Freeze, today: float) -> str:
    """Return when a freeze ends by itself, or "unfrozen" if a person must end it."""
    return "unfrozen" if frozen.until is None else clock_time(frozen.until, today)


def iso_time(at: float) -> str:
    """Return a time as 2026-11-23T14:02:11Z."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def ordinal(number: int) -> str:
    """Return 1st, 2nd, 3rd, 4th."""
    teen = number % 100 in _TEENS
    return f"{number}{'th' if teen else _ORDINALS.get(number % 10, 'th')}"


def held_text(holder: Holder, earliest: float) -> str:
    """Return since when a lock is held, when the lease expires, and why the lock is held.

    Args:
        holder: the holder.
        earliest: server time at which the record was read, seconds since the epoch.
    """
    since = clock_time(holder.granted_at, earliest)
    held_for = format_duration(earliest - holder.granted_at)
    renewed = format_duration(earliest - (holder.expires_at - holder.ttl))
    expires = format_duration(holder.expires_at - earliest)
    slots = "" if holder.slots == 1 else f", slots {format_slots(holder.slots)}"
    return (
        f"since {since} ({held_for}), renewed {renewed} ago, "
        f"expires in {expires} if not renewed, token {holder.token}{slots}{reason_text(holder)}"
    )


def reason_text(holder: Holder) -> str:
    """Return `, reason: "..."`, or "" if the holder gave none."""
    reason = holder.owner.reason
    return f', reason: "{printable(reason)}"' if reason else ""


def renewals_text(status: WaitStatus) -> str:
    """Return why a lock with free slots admits no more holders, or "" if it does."""
    if not status.kept_out_by_renewals:
        return ""
    return (
        f"at most {status.capacity} jobs can hold it together with a ttl of "
        f"{format_duration(status.shortest_ttl)}, because storage limits writes per object: "
        "a longer ttl allows more"
    )


def rank_text(position: QueuePosition, waiters: int) -> str:
    """Return `2nd of 3`."""
    return f"{ordinal(position.rank)} of {max(waiters, position.rank)}"


def position_text(status: WaitStatus) -> str:
    """Return the waiter's position and how long it will probably wait; "" if not known yet."""
    if status.position is None:
        return ""
    rank = f"{rank_text(status.position, status.waiters)} in the queue"
    guess = estimate(status)
    if guess is None:
        return rank
    hold = format_duration(guess.hold)
    return f"{rank}, about {about(guess.to_go)} to go (a job typically holds it for {hold})"


def waited_text(status: WaitStatus) -> str:
    """Return how much of its time a waiter has waited, as `1m00s of 30m00s`."""
    return f"{format_duration(status.waited)} of {format_duration(status.budget)}"


def about(seconds: float) -> str:
    """Return an estimate no finer than it is: `40s`, `9m`, `2h10m`."""
    if seconds < _SECONDS_COUNT:
        return f"{max(_nearest(seconds, 10), 10)}s"
    minutes = _nearest(seconds, 60) // 60
    if minutes < _MINUTES_COUNT:
        return f"{minutes}m"
    return format_duration(_nearest(seconds, 600))


def _nearest(seconds: float, step: int) -> int:
    # Not round(): it rounds half a step to the even neighbour, and here half a step goes up.
    return math.floor(seconds / step + 0.5) * step
