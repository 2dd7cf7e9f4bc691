"""How owners, times and places are written; foreign text only ever as `printable` leaves it."""

import re
from datetime import UTC, datetime

from gcs_ci_lock.core.queue import Turn
from gcs_ci_lock.core.record import UNLIMITED, Owner, Slots
from gcs_ci_lock.core.text import MAX_FOREIGN, printable

_ORDINALS = {1: "st", 2: "nd", 3: "rd"}
_TEENS = range(11, 14)
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


def place_text(turn: Turn, waiters: int) -> str:
    """Return `2nd of 3`."""
    return f"{ordinal(turn.place)} of {max(waiters, turn.place)}"
