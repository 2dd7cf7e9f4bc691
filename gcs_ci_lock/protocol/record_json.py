"""The JSON of records; refuses what it does not know.

An invalid record is an error that names the object; it is never read as a free lock.
"""

import json
from typing import Final, cast

from gcs_ci_lock.errors import RecordInvalid, UsageError
from gcs_ci_lock.protocol.json_reader import (
    MAX_INTEGER,
    MAX_RECORD_BYTES,
    InvalidJson,
    Json,
    JsonReader,
    parse_json,
    refuse,
)
from gcs_ci_lock.protocol.names import read_lease
from gcs_ci_lock.protocol.record import (
    HISTORY_LENGTH,
    OUTCOMES,
    OWNER_FIELDS,
    SEQUENCES_LENGTH,
    Freeze,
    Holder,
    LossReason,
    Outcome,
    Owner,
    PastLease,
    Record,
)
from gcs_ci_lock.protocol.slots import format_slots, read_slots
from gcs_ci_lock.protocol.text import printable, truncated

SCHEMA: Final = 1


def encode_record(record: Record) -> bytes:
    """Return the record's JSON; foreign text is cut to 200 characters.

    Raises:
        UsageError: the record could not be read back, so it must not be written.
    """
    if record.fence > MAX_INTEGER:
        message = f'lock "{record.name}" has no fencing token left: its fence is {record.fence}'
        raise UsageError(message)
    document = {
        "schema": SCHEMA,
        "name": record.name,
        "fence": record.fence,
        "freed_at": record.freed_at,
        "holders": [_encode_holder(h) for h in record.holders],
        "frozen": _encode_freeze(record.frozen),
        "sequences": dict(list(record.sequences.items())[-SEQUENCES_LENGTH:]),
        "history": [_encode_past(e) for e in record.history[-HISTORY_LENGTH:]],
    }
    body = json.dumps(document, indent=1, allow_nan=False).encode()
    if len(body) > MAX_RECORD_BYTES:
        message = f'lock "{record.name}" has so many holders that its record would be too large'
        raise UsageError(message)
    try:
        _decode_record(document, record.name)
    except InvalidJson as why:
        message = f'refused to write lock "{record.name}": the new record would be invalid: {why}'
        raise UsageError(message) from None
    return body


def decode_record(body: bytes | None, *, uri: str, name: str) -> Record:
    """Read a record.

    Args:
        body: the object's content; None if it is larger than MAX_RECORD_BYTES.
        uri: the object, for the error.
        name: the lock to which it must belong.

    Raises:
        RecordInvalid: the object is not a record of schema 1 of this lock.
    """
    try:
        document = JsonReader("record", parse_json(body)).json
        return _decode_record(document, name)
    except InvalidJson as invalid:
        raise RecordInvalid(uri, str(invalid)) from None


def _decode_record(document: Json, name: str) -> Record:
    reader = JsonReader("the record", document)
    # First: the other fields mean something only in a known schema.
    schema = reader.take("schema")
    if type(schema) is not int or schema != SCHEMA:
        refuse("schema", f"{SCHEMA} (a newer program may have written it)", schema)
    if reader.text("name") != name:
        refuse("name", f'"{name}"', reader.json["name"])
    fence = reader.integer("fence")
    holders = tuple(_decode_holder(item, fence) for item in reader.items("holders"))
    for what, values in (
        ("lease", [h.lease for h in holders]),
        ("token", [h.token for h in holders]),
    ):
        if len(set(values)) != len(values):
            refuse("holders", f"a list in which no {what} stands twice", values)
    record = Record(
        name=name,
        fence=fence,
        freed_at=reader.number("freed_at"),
        holders=holders,
        frozen=_decode_freeze(reader),
        sequences=_decode_sequences(reader),
        history=tuple(_decode_past(item) for item in reader.items("history")),
    )
    reader.finish()
    return record


def _decode_holder(item: JsonReader, fence: int) -> Holder:
    holder = Holder(
        lease=read_lease(item),
        owner=read_owner(item),
        slots=read_slots(item),
        # A token above the fence would be granted a second time.
        token=item.integer("token", least=1, most=fence),
        asked_at=item.number("asked_at"),
        granted_at=item.number("granted_at"),
        expires_at=item.number("expires_at"),
        ttl=item.number("ttl"),
        revision=item.integer("beat"),
    )
    item.finish()
    return holder


def _decode_past(item: JsonReader) -> PastLease:
    outcome = item.text("outcome")
    if outcome not in OUTCOMES:
        refuse(f"{item.where}.outcome", " or ".join(OUTCOMES), outcome)
    ended = PastLease(
        lease=read_lease(item),
        owner=read_owner(item),
        token=item.integer("token"),
        asked_at=item.number("asked_at"),
        granted_at=item.number("granted_at"),
        ended_at=item.number("ended_at"),
        outcome=cast("Outcome", outcome),
        note=item.text("note"),
        loss=_decode_loss(item),
    )
    item.finish()
    return ended


def _decode_loss(item: JsonReader) -> LossReason | None:
    if "loss" not in item.json:
        return None
    loss = item.text("loss")
    if loss not in set(LossReason):
        refuse(f"{item.where}.loss", " or ".join(LossReason), loss)
    return LossReason(loss)


def _decode_freeze(reader: JsonReader) -> Freeze | None:
    value = reader.take("frozen")
    if value is None:
        return None
    item = JsonReader("frozen", value)
    until = None if item.take("until") is None else item.number("until")
    frozen = Freeze(
        reason=item.text("reason"),
        author=item.text("author"),
        since=item.number("since"),
        until=until,
    )
    item.finish()
    return frozen


def _decode_sequences(reader: JsonReader) -> dict[str, int]:
    numbers = JsonReader("sequences", reader.take("sequences"))
    return {key: numbers.integer(key) for key in numbers.json}


def _encode_owner(owner: Owner) -> Json:
    filled = {key: getattr(owner, key) for key in OWNER_FIELDS}
    return {key: truncated(value) for key, value in filled.items() if value}


def _encode_holder(holder: Holder) -> Json:
    return {
        "lease": holder.lease,
        "owner": _encode_owner(holder.owner),
        "slots": format_slots(holder.slots),
        "token": holder.token,
        "asked_at": holder.asked_at,
        "granted_at": holder.granted_at,
        "expires_at": holder.expires_at,
        "ttl": holder.ttl,
        "beat": holder.revision,
    }


def _encode_past(ended: PastLease) -> Json:
    return {
        "lease": ended.lease,
        "owner": _encode_owner(ended.owner),
        "token": ended.token,
        "asked_at": ended.asked_at,
        "granted_at": ended.granted_at,
        "ended_at": ended.ended_at,
        "outcome": ended.outcome,
        "note": truncated(ended.note),
        **({"loss": ended.loss} if ended.loss else {}),
    }


def _encode_freeze(frozen: Freeze | None) -> Json | None:
    if frozen is None:
        return None
    return {
        "reason": truncated(frozen.reason),
        "author": truncated(frozen.author),
        "since": frozen.since,
        "until": frozen.until,
    }


def read_owner(item: JsonReader) -> Owner:
    """Return the field "owner"; ignore unknown fields in it, which only describe.

    Raises:
        InvalidJson: a field is neither a text nor an integer.
    """
    fields = JsonReader(f"{item.where}.owner", item.take("owner")).json
    for key, value in fields.items():
        if type(value) not in (str, int):
            refuse(f"{item.where}.owner.{printable(key)}", "a text or an integer", value)
    return Owner(**{key: str(fields[key]) for key in OWNER_FIELDS if key in fields})
