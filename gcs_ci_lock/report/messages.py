"""What is printed while a job waits, gets, keeps, loses and returns a lock; never a full screen."""

from collections.abc import Sequence

from gcs_ci_lock.errors import LeaseLost
from gcs_ci_lock.locking.lease import Lost
from gcs_ci_lock.locking.outcome import Obsolete
from gcs_ci_lock.protocol.duration import format_duration
from gcs_ci_lock.protocol.obsolete import Outdated, Superseded
from gcs_ci_lock.protocol.record import Holder, PastLease
from gcs_ci_lock.protocol.text import printable
from gcs_ci_lock.protocol.wait_status import WaitStatus
from gcs_ci_lock.report.estimate import estimate
from gcs_ci_lock.report.format import about, freeze_end, freeze_text, link, place_text, who
from gcs_ci_lock.report.phrases import held_text, position_text, renewals_text, waited_text

MOST_SHOWN = 5
MOST_NAMED = 3
_INDENT = " " * 12
# A name and a holder of this length leave room for the rest of a title.
_PART_OF_TITLE = 40


def wait_lines(status: WaitStatus) -> list[str]:
    """Return who holds the lock, since when, and where we stand."""
    lines = [f'Waiting for lock "{status.name}" ({status.uri})']
    lines += _holder_lines(status)
    if status.also_holding:
        lines.append(f"  you hold  {', '.join(status.also_holding)}")
    if place := position_text(status):
        lines.append(f"  you are   {place}, {waited_text(status)}")
    if status.trouble:
        lines.append(f"  trouble   {printable(status.trouble)}; trying again")
    return lines


def wait_title(status: WaitStatus) -> str:
    """Return the essence of `waiting_lines` on one line, for a log that folds them away."""
    told = [_held_up_by(status)]
    if status.position is not None:
        told.append(place_text(status.position, status.waiters))
    if guess := estimate(status):
        told.append(f"about {about(guess.to_go)} to go")
    told.append(waited_text(status))
    name = printable(status.name, _PART_OF_TITLE)
    return f'Waiting for lock "{name}": ' + ", ".join(part for part in told if part)


def acquired_line(name: str, waited: float, token: int, kept_how: str) -> str:
    """Return the line of a lock that was just acquired.

    Args:
        name: the lock.
        waited: seconds.
        token: the fencing token.
        kept_how: who renews the lease, e.g. "renewed every 20s by this process".
    """
    return (
        f'Acquired lock "{name}" after {format_duration(waited)}: fencing token {token}, {kept_how}'
    )


def took_over_line(ended: PastLease) -> str:
    """Return that the place of a holder that never released was taken, and why."""
    if ended.outcome == "expired":
        return f"Took over from a holder whose lease had run out (token {ended.token})"
    return f"Took over from a holder that is dead (token {ended.token}): {printable(ended.note)}"


def obsolete_line(name: str, obsolete: Obsolete) -> str:
    """Return why a newer run has made this one void."""
    waited = f'lock "{name}" was not acquired after {format_duration(obsolete.waited)}'
    match obsolete.why:
        case Outdated(sequence=own, granted=granted):
            return (
                f"{waited}: outdated, sequence {granted} was granted already, and ours is {own}. "
                "Run the newest one again instead"
            )
        case Superseded():
            return f"{waited}: superseded by a newer run of the same job, which goes in its place"


def timeout_lines(status: WaitStatus) -> list[str]:
    """Return that the lock was not to be had, and who has it."""
    waited = f"in {format_duration(status.budget)}" if status.budget else "at once"
    lines = [f'lock "{status.name}" ({status.uri}) was not to be had {waited}']
    lines += _holder_lines(status)
    lines.append("  now       try again later, or wait longer: --wait, or the input `wait`")
    return lines


def released_line(name: str, token: int) -> str:
    """Return the line of a lock that was given back."""
    return f'Released lock "{name}"' + (f" (fencing token {token})" if token else "")


def lease_lost(name: str, lost: Lost) -> LeaseLost:
    """Return the error that says that a lease is lost, why, and what to do."""
    holders = [f"{who(h.owner)} (token {h.token})" for h in lost.holders[:MOST_NAMED]]
    more = f" and {len(lost.holders) - MOST_NAMED} more" if len(lost.holders) > MOST_NAMED else ""
    now = f"; it is held by {', '.join(holders)}{more} now" if holders else ""
    return LeaseLost(
        f'lock "{name}" is not ours any more: {lost.reason}{now}.\n'
        f"Stop this job; another may be running. See: gcs-ci-lock status {name}"
    )


def _held_up_by(status: WaitStatus) -> str:
    frozen, holders = status.record.frozen, status.record.holders
    if frozen is not None:
        author = printable(frozen.author, _PART_OF_TITLE)
        return f"frozen by {author} until {freeze_end(frozen, status.earliest)}"
    if not holders:
        return "free, but not yet yours"
    others = f" and {len(holders) - 1} more" if len(holders) > 1 else ""
    return f"held by {printable(who(holders[0].owner), _PART_OF_TITLE)}{others}"


def _holder_lines(status: WaitStatus) -> list[str]:
    record = status.record
    lines = []
    if record.frozen is not None:
        lines.append(f"  frozen    {freeze_text(record.frozen, status.earliest)}")
    for holder in record.holders[:MOST_SHOWN]:
        lines += _one_holder(holder, status.earliest)
    lines += _more(record.holders)
    if full := renewals_text(status):
        lines.append(f"  full      {full}")
    if not record.holders and not record.frozen and status.position and status.position.ahead:
        first = status.position.ahead[0]
        lines.append(f"  free, but {who(first.owner)} stands before you")
    return lines


def _one_holder(holder: Holder, earliest: float) -> list[str]:
    page = link(holder.owner)
    first = f"  held by   {who(holder.owner)}" + (f"  {page}" if page else "")
    return [first, f"{_INDENT}{held_text(holder, earliest)}"]


def _more(holders: Sequence[Holder]) -> list[str]:
    hidden = len(holders) - MOST_SHOWN
    return [f"{_INDENT}... and {hidden} more"] if hidden > 0 else []
