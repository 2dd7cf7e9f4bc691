"""How owners, times and places are written; foreign text only ever as `printable` leaves it."""

import math
import re
from datetime import UTC, datetime

from gcs_ci_lock.protocol.duration import format_duration
from gcs_ci_lock.protocol.queue import QueuePosition
from gcs_ci_lock.protocol.record import Freeze, Owner
from gcs_ci_lock.protocol.slots import UNLIMITED, Slots
from gcs_ci_lock.protocol.text import MAX_FOREIGN, printable

_ORDINALS = {1: "st", 2: "nd", 3: "rd"}
_TEENS = range(11, 14)
# Up to here an estimate is told in steps of ten seconds, and up to there of a minute.
_SECONDS_COUNT = 90
_MINUTES_COUNT = 60
_PAGE = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9/._~%+=?#@,-]*)?")


def who(owner: Owner) -> str:
    """Return an owner as `acme/api > deploy (alice)`."""
    if owner.platform == "local":
        place = f"{owner.actor or 'somebody'} on {owner.runner or 'some machine'}"
        return printable(place)
    place = " > ".join(part for part in (owner.repository, owner.workflow, owner.job) if part)
    actor = f" ({owner.actor})" if owner.actor else ""
    return printable((place or owner.platform or "somebody") + actor)


def link(owner: Owner) -> str:
    """Return the owner's page if it looks like one, or ""; no shell finds anything in it."""
    url = owner.url
    return url if len(url) <= MAX_FOREIGN and _PAGE.fullmatch(url) else ""


def clock_time(at: float, today: float) -> str:
    """Return a time as 14:02:11Z, with its date where that is not today's."""
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
    """Return when a freeze ends by itself, or what ends it."""
    return "unfrozen" if frozen.until is None else clock_time(frozen.until, today)


def iso_time(at: float) -> str:
    """Return a time as 2026-11-23T14:02:11Z."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def ordinal(number: int) -> str:
    """Return 1st, 2nd, 3rd, 4th."""
    teen = number % 100 in _TEENS
    return f"{number}{'th' if teen else _ORDINALS.get(number % 10, 'th')}"


def slots_text(slots: Slots) -> str:
    """Return slots as people write them."""
    return "unlimited" if slots == UNLIMITED else str(int(slots))


def place_text(position: QueuePosition, waiters: int) -> str:
    """Return `2nd of 3`."""
    return f"{ordinal(position.rank)} of {max(waiters, position.rank)}"


def about(seconds: float) -> str:
    """Return an estimate as coarse as it is: `40s`, `9m`, `2h10m`."""
    if seconds < _SECONDS_COUNT:
        return f"{max(_nearest(seconds, 10), 10)}s"
    minutes = _nearest(seconds, 60) // 60
    if minutes < _MINUTES_COUNT:
        return f"{minutes}m"
    return format_duration(_nearest(seconds, 600))


def _nearest(seconds: float, step: int) -> int:
    # Not round(): half a step goes up, always.
    return math.floor(seconds / step + 0.5) * step
