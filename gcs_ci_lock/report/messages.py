"""What is printed when a job waits for, acquires, loses and releases a lock."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from gcs_ci_lock.errors import LeaseLost, LockError
from gcs_ci_lock.locking.lease import Lost
from gcs_ci_lock.locking.outcome import Obsolete
from gcs_ci_lock.protocol.duration import format_duration
from gcs_ci_lock.protocol.obsolete import Outdated, Superseded
from gcs_ci_lock.protocol.record import PastLease, Ticket
from gcs_ci_lock.protocol.text import printable
from gcs_ci_lock.protocol.wait_status import WaitStatus
from gcs_ci_lock.report.estimate import estimate
from gcs_ci_lock.report.format import (
    about,
    freeze_end,
    freeze_text,
    held_text,
    link,
    position_text,
    rank_text,
    renewals_text,
    waited_text,
    who,
)

# Holders in a message: never a full screen.
MOST_SHOWN = 5
MOST_NAMED = 3
# A slot is free after this many ttls at most, clocks and dates included (docs/protocol.md).
SLOT_FREE_AFTER = 16 / 15
# A name and a holder of this length leave room for the rest of a title.
_PART_OF_TITLE = 40

Label = Literal[
    "frozen", "held by", "", "free", "full", "you hold", "you are", "waited", "problem", "next"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitRow:
    """One fact about a wait; every text is printable.

    Attributes:
        label: what the fact is about; "" continues the row before.
        text: the fact.
        page: the holder's page, or "".
        details: more about the holder, or "".
    """

    label: Label
    text: str
    page: str = ""
    details: str = ""


def wait_rows(status: WaitStatus, *, most_holders: int = MOST_SHOWN) -> list[WaitRow]:
    """Return who holds the lock, what the waiter's position is and how long it has waited.

    Args:
        status: the lock and its queue as the waiter sees them.
        most_holders: how many holders are listed; the others are counted.
    """
    rows = [*_lock_rows(status, most_holders)]
    if _is_free(status) and not _ahead(status):
        rows.append(WaitRow(label="free", text="waiting for your turn"))
    if status.also_holding:
        rows.append(WaitRow(label="you hold", text=", ".join(status.also_holding)))
    if position := position_text(status):
        rows.append(WaitRow(label="you are", text=position))
    rows.append(WaitRow(label="waited", text=waited_text(status)))
    if status.trouble:
        rows.append(WaitRow(label="problem", text=f"{printable(status.trouble)}; retrying"))
    return rows


def wait_lines(status: WaitStatus) -> list[str]:
    """Return the facts about a wait as lines, for a log."""
    head = f'Waiting for lock "{status.name}" ({status.uri})'
    return [head, *(line for row in wait_rows(status) for line in _row_lines(row))]


def wait_title(status: WaitStatus) -> str:
    """Return the essence of `wait_lines` on one line, for a log that folds the lines."""
    facts = [_blocked_by(status)]
    if status.position is not None:
        facts.append(rank_text(status.position, status.waiters))
    if guess := estimate(status):
        facts.append(f"about {about(guess.to_go)} to go")
    facts.append(f"waited {waited_text(status)}")
    name = printable(status.name, _PART_OF_TITLE)
    return f'Waiting for lock "{name}": ' + ", ".join(facts)


def acquired_line(name: str, waited: float, token: int, renewal: str) -> str:
    """Return that a lock was acquired.

    Args:
        name: the lock.
        waited: seconds.
        token: the fencing token.
        renewal: how the lease is renewed, e.g. "renewed every 20s by this process".
    """
    return (
        f'Acquired lock "{name}" after {format_duration(waited)}: fencing token {token}, {renewal}'
    )


def took_over_line(ended: PastLease) -> str:
    """Return that this job replaced a holder that never released, and why it could."""
    if ended.outcome == "expired":
        return f"Took over from a holder whose lease expired (token {ended.token})"
    return f"Took over from a holder whose job is over (token {ended.token}): " + printable(
        ended.note
    )


def obsolete_line(name: str, obsolete: Obsolete) -> str:
    """Return that the lock was not acquired because of a newer run, and what to do."""
    head = f'did not acquire lock "{name}" after {format_duration(obsolete.waited)}'
    match obsolete.why:
        case Outdated(sequence=own, granted=granted):
            return (
                f"{head}: outdated, sequence {granted} was already granted and this job has "
                f"{own}. Re-run the newest job instead"
            )
        case Superseded():
            return f"{head}: superseded by a newer run of the same job, which takes its place"


def timeout_lines(status: WaitStatus) -> list[str]:
    """Return that the lock could not be acquired in time, who holds it, and what to do."""
    lock = f'lock "{status.name}" ({status.uri})'
    if status.budget:
        head = f"could not acquire {lock} within {format_duration(status.budget)}"
    else:
        # A free lock is not acquired either: that takes a place in the queue, and so a wait.
        state = "free, but others may be waiting for it" if _is_free(status) else "not free"
        head = f"{lock} is {state} (waiting is off: wait is 0)"
    advice = WaitRow(
        label="next", text="try again later, or wait longer: --wait, or the input `wait`"
    )
    rows = [*_lock_rows(status, MOST_SHOWN), advice]
    return [head, *(line for row in rows for line in _row_lines(row))]


def released_line(name: str, token: int) -> str:
    """Return that a lock was released.

    Args:
        name: the lock.
        token: the fencing token, or 0 if it is not known.
    """
    return f'Released lock "{name}"' + (f" (fencing token {token})" if token else "")


def not_released_line(name: str, error: LockError, *, ttl: float) -> str:
    """Return the line for a lock that could not be released.

    Args:
        name: the lock.
        error: why.
        ttl: seconds that the lease lasts after its last renewal.
    """
    return (
        f'lock "{name}" could not be released: {error}. Its lease ends by itself, at most '
        f"{format_duration(ttl * SLOT_FREE_AFTER)} after its last renewal"
    )


def lease_lost(name: str, lost: Lost) -> LeaseLost:
    """Return the error that says that a lease is lost, why, and what to do."""
    holders = [f"{who(h.owner)} (token {h.token})" for h in lost.holders[:MOST_NAMED]]
    more = f" and {len(lost.holders) - MOST_NAMED} more" if len(lost.holders) > MOST_NAMED else ""
    now = f" The lock is now held by {', '.join(holders)}{more}." if holders else ""
    return LeaseLost(
        f'lease on lock "{name}" lost: {lost.message}.{now}\n'
        f"Stop this job: another one may be running. See: gcs-ci-lock status {name}"
    )


def _lock_rows(status: WaitStatus, most_holders: int) -> Iterator[WaitRow]:
    record = status.record
    if record.frozen is not None:
        yield WaitRow(label="frozen", text=freeze_text(record.frozen, status.earliest))
    for holder in record.holders[:most_holders]:
        yield WaitRow(
            label="held by",
            text=who(holder.owner),
            page=link(holder.owner),
            details=held_text(holder, status.earliest),
        )
    if (hidden := len(record.holders) - most_holders) > 0:
        yield WaitRow(label="", text=f"... and {hidden} more")
    if _is_free(status) and (ahead := _ahead(status)):
        text = f"but {who(ahead[0].owner)} is ahead of you in the queue"
        yield WaitRow(label="free", text=text)
    if full := renewals_text(status):
        yield WaitRow(label="full", text=full)


def _is_free(status: WaitStatus) -> bool:
    return not status.record.holders and status.record.frozen is None


def _ahead(status: WaitStatus) -> tuple[Ticket, ...]:
    return status.position.ahead if status.position else ()


def _row_lines(row: WaitRow) -> Iterator[str]:
    yield f"  {row.label:<9} {row.text}" + (f"  {row.page}" if row.page else "")
    if row.details:
        yield f"{'':<12}{row.details}"


def _blocked_by(status: WaitStatus) -> str:
    frozen, holders = status.record.frozen, status.record.holders
    if frozen is not None:
        author = printable(frozen.author, _PART_OF_TITLE)
        return f"frozen by {author} until {freeze_end(frozen, status.earliest)}"
    if not holders:
        return "free, waiting for your turn"
    others = f" and {len(holders) - 1} more" if len(holders) > 1 else ""
    return f"held by {printable(who(holders[0].owner), _PART_OF_TITLE)}{others}"
