"""Tickets as the custom metadata of their objects."""

import json
import math
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from gcs_ci_lock.errors import UsageError
from gcs_ci_lock.protocol.json_reader import InvalidJson, JsonReader
from gcs_ci_lock.protocol.names import LEASE_ID
from gcs_ci_lock.protocol.record import OWNER_FIELDS, Ticket
from gcs_ci_lock.protocol.record_json import read_owner
from gcs_ci_lock.protocol.slots import format_slots, parse_slots
from gcs_ci_lock.protocol.text import printable

TICKET_SCHEMA: Final = "1"
MAX_PRIORITY: Final = 9


def parse_timestamp(text: str) -> float | None:
    """Return an RFC 3339 time as seconds since the epoch, or None if it is not one."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.timestamp() if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def encode_ticket(ticket: Ticket) -> dict[str, str]:
    """Return a ticket's custom metadata, the owner as plain ASCII so that all of it fits 8 KiB.

    `arrival_text` and `created_text` are left out while they are "", as before the first write.
    """
    owner = {key: getattr(ticket.owner, key) for key in OWNER_FIELDS}
    shown = {key: printable(value) for key, value in owner.items() if value}
    metadata = {
        "schema": TICKET_SCHEMA,
        "slots": str(format_slots(ticket.slots)),
        "ttl": repr(ticket.ttl),
        "priority": str(ticket.priority),
        "line": printable(ticket.job_key),
        "owner": json.dumps(shown),
        "arrival": ticket.arrival_text,
        "born": ticket.created_text,
        "superseded_by": ticket.superseded_by,
    }
    return {key: value for key, value in metadata.items() if value}


def decode_ticket(
    lease: str,
    metadata: Mapping[str, str],
    *,
    generation: int,
    created_text: str,
    updated_text: str,
) -> Ticket | None:
    """Read a ticket, or return None if it is forged, damaged or unknown.

    That is not an error: the queue gives fairness only, and one bad object must not stop everybody.
    """
    arrival_text = metadata.get("arrival", created_text)
    arrival = parse_timestamp(arrival_text)
    refreshed_at = parse_timestamp(updated_text)
    try:
        slots = parse_slots(metadata.get("slots", ""))
        ttl = float(metadata.get("ttl", ""))
        priority = int(metadata.get("priority", ""))
        fields = json.loads(metadata.get("owner", "{}"))
        owner = read_owner(JsonReader("ticket", {"owner": fields}))
    except (ValueError, RecursionError, UsageError, InvalidJson):
        return None
    well_formed = (
        LEASE_ID.fullmatch(lease) is not None
        and metadata.get("schema") == TICKET_SCHEMA
        and 0 <= priority <= MAX_PRIORITY
        and math.isfinite(ttl)
        and ttl > 0
    )
    if not well_formed or arrival is None or refreshed_at is None:
        return None
    first_text = metadata.get("born", created_text)
    if (created := parse_timestamp(first_text)) is None:
        created, first_text = arrival, arrival_text
    return Ticket(
        lease=lease,
        owner=owner,
        slots=slots,
        ttl=ttl,
        arrival=arrival,
        arrival_text=arrival_text,
        refreshed_at=refreshed_at,
        created=created,
        created_text=first_text,
        generation=generation,
        priority=priority,
        job_key=metadata.get("line", ""),
        superseded_by=metadata.get("superseded_by", ""),
    )
