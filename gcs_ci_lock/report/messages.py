"""What is printed while a job waits, gets, keeps, loses and returns a lock; never a full screen."""

from collections.abc import Sequence

from gcs_ci_lock.errors import LeaseLost
from gcs_ci_lock.locking.lease import Lost
from gcs_ci_lock.locking.outcome import Overtaken
from gcs_ci_lock.protocol.obsolete import Outdated, Superseded
from gcs_ci_lock.protocol.record import Ended, Holder
from gcs_ci_lock.protocol.text import printable
from gcs_ci_lock.protocol.timing import spoken
from gcs_ci_lock.protocol.wait_status import Situation
from gcs_ci_lock.report.estimate import estimate
from gcs_ci_lock.report.format import about, freeze_end, freeze_text, link, place_text, who
from gcs_ci_lock.report.phrases import held_text, renewals_text, standing, waited_text

MOST_SHOWN = 5
MOST_NAMED = 3
_INDENT = " " * 12
# A name and a holder of this length leave room for the rest of a title.
_PART_OF_TITLE = 40


def waiting_lines(situation: Situation) -> list[str]:
    """Return who holds the lock, since when, and where we stand."""
    lines = [f'Waiting for lock "{situation.name}" ({situation.uri})']
    lines += _holder_lines(situation)
    if situation.beside:
        lines.append(f"  you hold  {', '.join(situation.beside)}")
    if place := standing(situation):
        lines.append(f"  you are   {place}, {waited_text(situation)}")
    if situation.trouble:
        lines.append(f"  trouble   {printable(situation.trouble)}; trying again")
    return lines


def waiting_title(situation: Situation) -> str:
    """Return the essence of `waiting_lines` on one line, for a log that folds them away."""
    told = [_held_up_by(situation)]
    if situation.turn is not None:
        told.append(place_text(situation.turn, situation.waiters))
    if guess := estimate(situation):
        told.append(f"about {about(guess.to_go)} to go")
    told.append(waited_text(situation))
    name = printable(situation.name, _PART_OF_TITLE)
    return f'Waiting for lock "{name}": ' + ", ".join(part for part in told if part)


def acquired_line(name: str, waited: float, token: int, kept_how: str) -> str:
    """Return the line of a lock that was just acquired.

    Args:
        name: the lock.
        waited: seconds.
        token: the fencing token.
        kept_how: who renews the lease, e.g. "renewed every 20s by this process".
    """
    return f'Acquired lock "{name}" after {spoken(waited)}: fencing token {token}, {kept_how}'


def took_over_line(ended: Ended) -> str:
    """Return that the place of a holder that never released was taken, and why."""
    if ended.outcome == "expired":
        return f"Took over from a holder whose lease had run out (token {ended.token})"
    return f"Took over from a holder that is dead (token {ended.token}): {printable(ended.note)}"


def overtaken_line(name: str, overtaken: Overtaken) -> str:
    """Return why a newer run has made this one void."""
    waited = f'lock "{name}" was not acquired after {spoken(overtaken.waited)}'
    match overtaken.why:
        case Outdated(sequence=own, granted=granted):
            return (
                f"{waited}: outdated, sequence {granted} was granted already, and ours is {own}. "
                "Run the newest one again instead"
            )
        case Superseded():
            return f"{waited}: superseded by a newer run of the same job, which goes in its place"


def timeout_lines(situation: Situation) -> list[str]:
    """Return that the lock was not to be had, and who has it."""
    waited = f"in {spoken(situation.budget)}" if situation.budget else "at once"
    lines = [f'lock "{situation.name}" ({situation.uri}) was not to be had {waited}']
    lines += _holder_lines(situation)
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


def _held_up_by(situation: Situation) -> str:
    frozen, holders = situation.record.frozen, situation.record.holders
    if frozen is not None:
        author = printable(frozen.author, _PART_OF_TITLE)
        return f"frozen by {author} until {freeze_end(frozen, situation.earliest)}"
    if not holders:
        return "free, but not yet yours"
    others = f" and {len(holders) - 1} more" if len(holders) > 1 else ""
    return f"held by {printable(who(holders[0].owner), _PART_OF_TITLE)}{others}"


def _holder_lines(situation: Situation) -> list[str]:
    record = situation.record
    lines = []
    if record.frozen is not None:
        lines.append(f"  frozen    {freeze_text(record.frozen, situation.earliest)}")
    for holder in record.holders[:MOST_SHOWN]:
        lines += _one_holder(holder, situation.earliest)
    lines += _more(record.holders)
    if full := renewals_text(situation):
        lines.append(f"  full      {full}")
    if not record.holders and not record.frozen and situation.turn and situation.turn.ahead:
        first = situation.turn.ahead[0]
        lines.append(f"  free, but {who(first.owner)} stands before you")
    return lines


def _one_holder(holder: Holder, earliest: float) -> list[str]:
    page = link(holder.owner)
    first = f"  held by   {who(holder.owner)}" + (f"  {page}" if page else "")
    return [first, f"{_INDENT}{held_text(holder, earliest)}"]


def _more(holders: Sequence[Holder]) -> list[str]:
    hidden = len(holders) - MOST_SHOWN
    return [f"{_INDENT}... and {hidden} more"] if hidden > 0 else []
