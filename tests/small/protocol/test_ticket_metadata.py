"""Tickets as metadata: whole when they are ours, passed over when they are not."""

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gcs_ci_lock.protocol.record import (
    OWNER_FIELDS,
    Owner,
    Ticket,
)
from gcs_ci_lock.protocol.slots import UNLIMITED, Slots
from gcs_ci_lock.protocol.text import printable
from gcs_ci_lock.protocol.ticket_metadata import decode_ticket, encode_ticket, parse_timestamp
from tests.support.samples import TICKET
from tests.support.strategies import OWNERS, SLOTS, TEXTS

CREATED = "2026-11-23T14:02:11.250000+00:00"
UPDATED = "2026-11-23T14:02:41.250000+00:00"
BORN = "2026-11-23T14:02:21.250000+00:00"
MOMENT = parse_timestamp(CREATED)
METADATA = {"schema": "1", "slots": "1", "ttl": "120.0", "priority": "5", "owner": "{}"}
# With all that a ticket can say.
FULL = Ticket(
    lease="k3v9",
    owner=Owner(actor="alice"),
    slots=2,
    ttl=0.5,
    arrival=1_795_442_531.25,
    arrival_text=CREATED,
    refreshed_at=1_795_442_561.25,
    generation=7,
    created=1_795_442_541.25,
    created_text=BORN,
    priority=9,
    job_key="main",
    superseded_by="k3w2",
)


def decode(metadata: Mapping[str, str], lease: str = "k3v9") -> Ticket | None:
    return decode_ticket(lease, metadata, generation=7, created_text=CREATED, updated_text=CREATED)


def decode_later(metadata: Mapping[str, str]) -> Ticket | None:
    """Read a version of which nothing is known but when it was refreshed."""
    return decode_ticket("k3v9", metadata, generation=7, created_text="", updated_text=UPDATED)


@pytest.mark.property
@given(OWNERS, SLOTS, st.integers(0, 9), TEXTS)
def test_what_is_written_is_what_is_read_as_plain_text(
    owner: Owner, slots: Slots, priority: int, line: str
) -> None:
    ticket = replace(
        TICKET,
        owner=owner,
        slots=slots,
        ttl=120.5,
        arrival_text=CREATED,
        priority=priority,
        job_key=line,
    )

    metadata = encode_ticket(ticket)
    read = decode(metadata)

    assert read is not None
    assert (read.slots, read.ttl, read.priority) == (slots, 120.5, priority)
    assert (read.arrival, read.arrival_text) == (MOMENT, CREATED)
    assert read.job_key == printable(line)
    for key in OWNER_FIELDS:
        assert getattr(read.owner, key) == printable(getattr(owner, key))


@pytest.mark.example
def test_the_longest_ticket_fits_the_limit_of_eight_kib() -> None:
    owner = Owner(**dict.fromkeys(OWNER_FIELDS, '"\\' * 500))
    ticket = replace(
        TICKET,
        lease="k" * 128,
        owner=owner,
        slots=UNLIMITED,
        ttl=86_400.0,
        arrival_text=CREATED,
        job_key="l" * 1000,
        superseded_by="k" * 128,
    )

    metadata = encode_ticket(ticket)

    assert sum(len(key) + len(value) for key, value in metadata.items()) < 8192
    assert all(value.isascii() for value in metadata.values())


@pytest.mark.property
@given(
    st.dictionaries(
        st.sampled_from(["schema", "slots", "ttl", "priority", "owner", "arrival", "line", "x"]),
        st.one_of(TEXTS, st.sampled_from(["1", "5", "120.0", "{}", "nan", "-1", "[]", CREATED])),
    ),
    TEXTS,
)
def test_any_metadata_is_a_ticket_or_passed_over(metadata: dict[str, str], lease: str) -> None:
    read = decode({**METADATA, **metadata}, lease)

    assert read is None or (read.ttl > 0 and 0 <= read.priority <= 9 and read.slots >= 1)


@pytest.mark.example
@pytest.mark.parametrize(
    "changes",
    [
        {"schema": "2"},
        {"slots": "0"},
        {"slots": "many"},
        {"ttl": "nan"},
        {"ttl": "inf"},
        {"ttl": "0"},
        {"ttl": "-1"},
        {"ttl": "soon"},
        {"priority": "10"},
        {"priority": "-1"},
        {"priority": "high"},
        {"owner": "alice"},
        {"owner": '["alice"]'},
        {"owner": '{"actor": {}}'},
        {"owner": "[" * 10_000},
        {"arrival": "yesterday"},
        {"arrival": "2026-11-23T14:02:11"},
    ],
    ids=str,
)
def test_a_forged_ticket_is_passed_over(changes: dict[str, str]) -> None:
    assert decode(METADATA) is not None
    assert decode({**METADATA, **changes}) is None


@pytest.mark.example
@pytest.mark.parametrize("lease", ["", "a/b", "../x", "x" * 129, "a b"])
def test_an_object_whose_name_is_no_lease_id_is_no_ticket(lease: str) -> None:
    assert decode(METADATA, lease) is None


@pytest.mark.example
def test_a_first_version_arrived_when_it_was_created() -> None:
    read = decode(METADATA)

    assert read is not None
    assert (read.arrival, read.arrival_text) == (MOMENT, CREATED)


@pytest.mark.example
def test_the_owner_is_json_for_people_with_other_tools() -> None:
    ticket = decode({**METADATA, "owner": json.dumps({"actor": "alice"})})

    assert ticket is not None
    assert ticket.owner == Owner(actor="alice")


@pytest.mark.example
@pytest.mark.parametrize("priority", [0, 9])
def test_all_that_a_ticket_says_arrives(priority: int) -> None:
    ticket = replace(FULL, priority=priority)

    assert decode_later(encode_ticket(ticket)) == ticket


@pytest.mark.example
def test_a_ticket_is_written_as_others_read_it() -> None:
    assert encode_ticket(FULL) == {
        "schema": "1",
        "slots": "2",
        "ttl": "0.5",
        "priority": "9",
        "line": "main",
        "owner": '{"actor": "alice"}',
        "arrival": CREATED,
        "born": BORN,
        "superseded_by": "k3w2",
    }


@pytest.mark.example
@pytest.mark.parametrize("key", ["schema", "slots", "ttl", "priority", "arrival"])
def test_a_ticket_without_one_of_its_fields_is_none(key: str) -> None:
    metadata = {k: v for k, v in encode_ticket(FULL).items() if k != key}

    assert decode_later(metadata) is None


@pytest.mark.example
def test_a_ticket_may_leave_out_what_is_empty() -> None:
    metadata = {"schema": "1", "slots": "2", "ttl": "0.5", "priority": "9", "arrival": CREATED}

    bare = replace(FULL, owner=Owner(), job_key="", superseded_by="")
    assert decode_later(metadata) == replace(bare, created=FULL.arrival, created_text=CREATED)
