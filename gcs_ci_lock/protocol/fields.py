"""The fields that records, tickets and lease files share, read from JSON."""

from gcs_ci_lock.protocol.json_reader import LEASE_ID, JsonReader, refuse
from gcs_ci_lock.protocol.record import OWNER_FIELDS, Owner
from gcs_ci_lock.protocol.slots import UNLIMITED, Slots
from gcs_ci_lock.protocol.text import printable


def read_lease(item: JsonReader) -> str:
    """Return the field "lease".

    Raises:
        InvalidJson: it is not a lease id.
    """
    value = item.text("lease")
    if not LEASE_ID.fullmatch(value):
        refuse(f"{item.where}.lease", "1 to 128 letters, digits, - or _", value)
    return value


def read_slots(item: JsonReader) -> Slots:
    """Return the field "slots".

    Raises:
        InvalidJson: it is neither an integer >= 1 nor "unlimited".
    """
    value = item.take("slots")
    if value == "unlimited":
        return UNLIMITED
    return item.integer("slots", least=1)


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
