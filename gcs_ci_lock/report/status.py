"""The state of a lock, for `status`: as text and as JSON."""

from dataclasses import asdict, dataclass
from typing import Any

from gcs_ci_lock.protocol.duration import format_duration
from gcs_ci_lock.protocol.record import Holder, Owner, Record, Ticket
from gcs_ci_lock.protocol.slots import format_slots
from gcs_ci_lock.protocol.text import printable
from gcs_ci_lock.report.format import (
    clock_time,
    freeze_text,
    link,
    ordinal,
    reason_text,
    who,
)

MOST_SHOWN = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class LockStatus:
    """One lock as `status` read it.

    Attributes:
        record: as `protocol.transitions.drop_expired` returned it.
        waiters: active tickets, in the order of the queue.
        earliest: server time at which it was read, seconds since the epoch.
    """

    name: str
    uri: str
    record: Record
    waiters: tuple[Ticket, ...]
    earliest: float


def status_lines(status: LockStatus) -> list[str]:
    """Return the state of a lock as lines, at most a screen of them."""
    record, now = status.record, status.earliest
    lines = [f'Lock "{status.name}" ({status.uri}) is {_state(record)}']
    if record.frozen is not None:
        lines.append(f"  frozen    {freeze_text(record.frozen, now)}")
    lines += _at_most([_holder_line(holder, now) for holder in record.holders])
    waiting = [
        f"  waiting   {ordinal(index)}: {who(ticket.owner)}  {link(ticket.owner)}".rstrip()
        + f", for {format_duration(now - ticket.arrival)}, slots {format_slots(ticket.slots)}"
        for index, ticket in enumerate(status.waiters, start=1)
    ]
    lines += _at_most(waiting)
    for ended in list(reversed(record.history))[:3]:
        note = f' ("{printable(ended.note)}")' if ended.note else ""
        held = format_duration(ended.ended_at - ended.granted_at)
        lines.append(
            f"  past      {who(ended.owner)}: {ended.outcome} at "
            f"{clock_time(ended.ended_at, now)} after {held}, "
            f"token {ended.token}{note}"
        )
    return lines


def status_json(status: LockStatus) -> dict[str, Any]:
    """Return the state of a lock as JSON; scripts rely on its keys.

    Times are seconds since the epoch, by the server's clock.
    """
    record, now = status.record, status.earliest
    return {
        "name": status.name,
        "uri": status.uri,
        "state": _state(record),
        "at": now,
        "fence": record.fence,
        "freed_at": record.freed_at,
        "sequences": dict(record.sequences),
        "frozen": asdict(record.frozen) if record.frozen else None,
        "holders": [
            {
                "lease": holder.lease,
                "token": holder.token,
                "owner": _owner(holder.owner),
                "slots": format_slots(holder.slots),
                "asked_at": holder.asked_at,
                "granted_at": holder.granted_at,
                "expires_at": holder.expires_at,
                "held_s": round(now - holder.granted_at, 3),
                "ttl_s": holder.ttl,
                "beat": holder.revision,
            }
            for holder in record.holders
        ],
        "waiters": [
            {
                "place": place,
                "lease": ticket.lease,
                "owner": _owner(ticket.owner),
                "slots": format_slots(ticket.slots),
                "priority": ticket.priority,
                "arrived_at": ticket.arrival,
                "waited_s": round(now - ticket.arrival, 3),
            }
            for place, ticket in enumerate(status.waiters, start=1)
        ],
        "history": [{**asdict(ended), "owner": _owner(ended.owner)} for ended in record.history],
    }


def _state(record: Record) -> str:
    if record.holders:
        return "held"
    return "frozen" if record.frozen else "free"


def _owner(owner: Owner) -> dict[str, str]:
    return {key: value for key, value in asdict(owner).items() if value}


def _holder_line(holder: Holder, now: float) -> str:
    held = format_duration(now - holder.granted_at)
    return (
        f"  held by   {who(holder.owner)}  {link(holder.owner)}".rstrip()
        + f", since {clock_time(holder.granted_at, now)} ({held}), "
        f"expires at {clock_time(holder.expires_at, now)} if not renewed, token {holder.token}, "
        f"slots {format_slots(holder.slots)}{reason_text(holder)}"
    )


def _at_most(lines: list[str]) -> list[str]:
    hidden = len(lines) - MOST_SHOWN
    return lines if hidden <= 0 else [*lines[:MOST_SHOWN], f"            ... and {hidden} more"]
