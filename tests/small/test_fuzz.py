"""Whatever a stranger puts in the bucket, the state or the inputs: understood whole, or refused.

Never an error of another kind than ours, and never half of a document taken for the whole.
"""

import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gcs_ci_lock.errors import LockError, RecordInvalid, UsageError
from gcs_ci_lock.keepalive.adopted import adopt, end_lease
from gcs_ci_lock.keepalive.lease_ref import LeaseRef
from gcs_ci_lock.locking.acquisition import Acquisition
from gcs_ci_lock.locking.client import LockClient
from gcs_ci_lock.locking.outcome import Acquired, Obsolete, Stopped, TimedOut
from gcs_ci_lock.locking.request import MAX_HOLD, MAX_WAIT, LockSettings
from gcs_ci_lock.platforms.verifier import NoVerifier
from gcs_ci_lock.protocol.json_reader import MAX_INTEGER
from gcs_ci_lock.protocol.record import (
    HISTORY_LENGTH,
    OWNER_FIELDS,
    SEQUENCES_LENGTH,
    LossReason,
    Owner,
    Record,
)
from gcs_ci_lock.protocol.record_json import decode_record, encode_record
from gcs_ci_lock.protocol.slots import format_slots, parse_slots
from gcs_ci_lock.protocol.text import printable, truncated
from gcs_ci_lock.protocol.ticket_metadata import decode_ticket, encode_ticket
from gcs_ci_lock.protocol.timing import MAX_TTL, MIN_TTL
from gcs_ci_lock.protocol.transitions import NotHeld
from tests.support import samples
from tests.support.fakes import EPOCH, PATHS, Client, World
from tests.support.samples import LEASE_REF

pytestmark = pytest.mark.property

# The virtual moment at which the waiters of this file come.
NOW = EPOCH + 1_000.0
HOSTILE = "\r\n::error::x##[y]\x1b[31m\x00\ud800\u2028"
URI = PATHS.record_uri
# Some of each kind; a fixed set also spares hypothesis the table of all characters.
LETTERS = "abz09 ._-:#[]{}\"'\\\n\r\x00\x1bé٣\u2028\ud800\U0001f512"

# Where implementations differ, overflow or misread: every place of a document may get one of them.
EDGES: tuple[object, ...] = (
    None,
    True,
    False,
    0,
    -0.0,
    -1,
    1,
    2,
    1.0,
    0.5,
    5e-324,
    1e11,
    1.0000001e11,
    1e308,
    float("inf"),
    float("nan"),
    NOW,
    NOW + 2,
    MAX_INTEGER - 1,
    MAX_INTEGER,
    MAX_INTEGER + 1,
    10**400,
    "",
    "1",
    "unlimited",
    "released",
    HOSTILE,
    "x" * 201,
    "x" * 5_000,
    [],
    {},
    [[]],
    [{}],
    {"schema": 1},
)
JSON_VALUES = st.one_of(
    st.sampled_from(EDGES),
    st.recursive(
        st.one_of(
            st.none(), st.booleans(), st.integers(), st.floats(), st.text(LETTERS, max_size=5)
        ),
        lambda inner: st.one_of(
            st.lists(inner, max_size=2),
            st.dictionaries(st.text(LETTERS, max_size=5), inner, max_size=2),
        ),
        max_leaves=3,
    ),
).map(copy.deepcopy)  # what is put into a document may be changed there

HOLDER = replace(
    samples.HOLDER, asked_at=NOW - 60, granted_at=NOW - 50, expires_at=NOW + 5, revision=3
)
SHARED = replace(HOLDER, lease="k3v8", slots=5, token=40, expires_at=NOW - 1)
ENDED = replace(
    samples.ENDED,
    token=39,
    asked_at=NOW - 90,
    granted_at=NOW - 80,
    ended_at=NOW - 70,
    outcome="expired",
)
FREEZE = replace(samples.FREEZE, since=NOW - 9, until=NOW + 3)
RECORDS = (
    Record(name="prod", fence=41, freed_at=NOW - 70, holders=(HOLDER,), history=(ENDED,)),
    Record(name="prod", fence=41, holders=(SHARED, replace(HOLDER, slots=5)), history=(ENDED,)),
    Record(name="prod", fence=41, freed_at=NOW - 500, history=(ENDED, replace(ENDED, lease="k2"))),
    Record(name="prod", fence=41, freed_at=NOW - 1, frozen=FREEZE, sequences={"main": 7, "b": 0}),
    Record(name="prod", fence=41, history=(replace(ENDED, loss=LossReason.MAX_HOLD),)),
)


def places(value: object, path: tuple[object, ...] = ()) -> Iterator[tuple[object, ...]]:
    """Yield the path to every value inside of a document."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from places(inner, (*path, index))
    if path:
        yield path


def holder_of(document: object, path: tuple[object, ...]) -> Any:  # noqa: ANN401 - JSON may be anything
    """Return the list or object in which a path ends."""
    for step in path[:-1]:
        document = document[step]  # type: ignore[index]
    return document


def changed(draw: st.DrawFn, document: dict[str, Any]) -> None:
    """Change one place of a document."""
    path = draw(st.sampled_from(sorted(places(document), key=repr)))
    container, key = holder_of(document, path), path[-1]
    what = draw(st.sampled_from(["replace", "nudge", "delete", "rename", "add", "repeat", "wrap"]))
    value = container[key]
    if what == "replace":
        container[key] = draw(JSON_VALUES)
    elif what == "nudge" and type(value) in (int, float):
        container[key] = value + draw(st.sampled_from([-1, 1, -(10**6), 10**6, 0.5]))
    elif what == "delete":
        del container[key]
    elif what == "wrap":
        container[key] = draw(st.sampled_from([[value], {"value": value}, str(value)]))
    elif isinstance(container, list):
        container.extend([copy.deepcopy(value)] * draw(st.sampled_from([1, 2, 60])))
    elif what == "rename":
        container[draw(st.sampled_from([str(key).upper(), f"{key} ", HOSTILE]))] = value
        del container[key]
    else:
        container[draw(st.one_of(st.text(LETTERS, max_size=5), st.just(HOSTILE)))] = draw(
            JSON_VALUES
        )


@st.composite
def damaged(draw: st.DrawFn, *documents: Mapping[str, Any]) -> str:
    """Return the JSON of a valid document after up to three changes, some of them in its text."""
    document = copy.deepcopy(dict(draw(st.sampled_from(documents))))
    for _ in range(draw(st.integers(0, 3))):
        if document:
            changed(draw, document)
    text = json.dumps(document, ensure_ascii=draw(st.booleans()))
    match draw(st.sampled_from(["whole"] * 6 + ["cut", "twice", "inserted"])):
        case "cut":
            return text[: draw(st.integers(0, len(text)))]
        case "twice":
            # Each key of the outermost object stands twice.
            return f"{text[:-1]}, {text[1:]}"
        case "inserted":
            at = draw(st.integers(0, len(text)))
            return text[:at] + draw(st.text(LETTERS, max_size=3)) + text[at:]
        case _:
            return text


def as_bytes(text: str) -> bytes:
    # A surrogate that stands alone makes bytes that are no UTF-8: those are wanted too.
    return text.encode("utf-8", "surrogatepass")


BODIES = st.one_of(
    damaged(*(json.loads(encode_record(record)) for record in RECORDS)).map(as_bytes),
    damaged(*(json.loads(encode_record(record)) for record in RECORDS)).map(as_bytes),
    JSON_VALUES.map(json.dumps).map(as_bytes),
    st.binary(max_size=40),
)


def read(body: bytes) -> Record:
    return decode_record(body, uri=URI, name="prod")


def as_stored(record: Record) -> Record:
    """Return what may be left of a record when it is written again: its latest ends, cut texts."""

    def owner(one: Owner) -> Owner:
        return Owner(**{key: truncated(getattr(one, key)) for key in OWNER_FIELDS})

    frozen = record.frozen
    if frozen is not None:
        frozen = replace(frozen, reason=truncated(frozen.reason), author=truncated(frozen.author))
    return replace(
        record,
        holders=tuple(replace(h, owner=owner(h.owner)) for h in record.holders),
        frozen=frozen,
        sequences=dict(list(record.sequences.items())[-SEQUENCES_LENGTH:]),
        history=tuple(
            replace(e, owner=owner(e.owner), note=truncated(e.note))
            for e in record.history[-HISTORY_LENGTH:]
        ),
    )


def put(world: World, body: bytes) -> object:
    """Let a stranger write the record; return the object as the bucket has it now."""
    there = world.bucket.objects.get(PATHS.record)
    world.client("stranger").store.write(
        PATHS.record, body, generation=there.entry.generation if there else 0, timeout=1
    )
    return world.bucket.objects[PATHS.record]


def assert_short_line(message: str) -> None:
    assert message.isprintable()
    assert len(message) < 600


def outcome_of(client: Client, wait: float) -> Acquired | TimedOut | Obsolete | Stopped | LockError:
    try:
        return client.acquire(wait=wait)
    except LockError as refusal:
        return refusal


@given(BODIES)
@settings(max_examples=200)
def test_a_record_that_is_taken_is_written_again_as_it_is(body: bytes) -> None:
    try:
        record = read(body)
    except RecordInvalid:
        return

    again = read(encode_record(record))

    assert again == as_stored(record)
    # By value, and not only by what `==` takes for the same: no boolean and no float for a token.
    assert repr(again) == repr(as_stored(record))


@given(BODIES)
@settings(max_examples=120)
def test_a_waiter_goes_on_beside_any_record_or_leaves_it_untouched(body: bytes) -> None:
    world = World()
    client = world.client("a")
    before = put(world, body)

    outcome = outcome_of(client, wait=8.0)

    if isinstance(outcome, RecordInvalid | TimedOut):
        assert world.bucket.objects[PATHS.record] is before
        assert world.tickets() == []
        return
    stood = as_stored(read(body))
    stands = read(world.record_body())
    if isinstance(outcome, UsageError):
        assert stood.fence == MAX_INTEGER
        assert stands == stood
        return
    assert isinstance(outcome, Acquired)
    # A new token, and nobody is gone but those whose lease had run out.
    assert outcome.lease.token == stands.fence == stood.fence + 1
    kept = {holder.lease: holder for holder in stands.holders}
    now = EPOCH + world.clock.now
    assert all(kept.get(h.lease) == h or h.expires_at <= now for h in stood.holders)
    assert all(h.slots >= len(stands.holders) for h in stands.holders)
    assert stood.frozen is None or (stood.frozen.until or now + 1) <= now
    assert stands.sequences == stood.sequences


@given(BODIES)
@settings(max_examples=100)
def test_a_record_that_turns_into_anything_while_somebody_waits_is_left_as_it_is(
    body: bytes,
) -> None:
    world = World()
    client = world.client("a")
    put(world, encode_record(replace(RECORDS[0], holders=(replace(HOLDER, expires_at=NOW + 99),))))
    world.clock.after(2.5, lambda: put(world, body))

    outcome = outcome_of(client, wait=6.0)

    if isinstance(outcome, RecordInvalid):
        assert world.record_body() == body
    else:
        assert isinstance(outcome, Acquired | TimedOut) or read(body).fence == MAX_INTEGER
    assert world.tickets() == []


@given(BODIES)
@settings(max_examples=120)
def test_a_refused_record_is_told_of_on_short_lines(body: bytes) -> None:
    try:
        read(body)
    except RecordInvalid as refusal:
        assert_short_line(refusal.problem)


@pytest.mark.parametrize("place", ["sequences", "holders", "history", "frozen"])
@given(
    key=st.one_of(st.just(HOSTILE), st.text(LETTERS, min_size=1, max_size=3).map(lambda t: t * 500))
)
@settings(max_examples=20)
def test_a_key_that_a_stranger_chose_is_not_shown_as_it_is(place: str, key: str) -> None:
    document = json.loads(encode_record(replace(RECORDS[0], frozen=FREEZE)))
    container = document[place][0] if isinstance(document[place], list) else document[place]
    container[key] = -1

    with pytest.raises(RecordInvalid) as refusal:
        read(json.dumps(document).encode())

    assert_short_line(refusal.value.problem)
    assert "::" not in refusal.value.problem


TICKET = replace(
    samples.TICKET,
    lease="k3v9",
    slots=1,
    arrival=NOW,
    refreshed_at=NOW,
    arrival_text="2026-11-23T08:36:40+00:00",
    generation=7,
    priority=9,
    job_key="main",
)
WORDS = st.one_of(
    st.sampled_from(
        [
            *("", "0", "1", "5", "9", "-1", "1_0", " 1 ", "٣", "1e3", "1e308", "1e-320", "nan"),
            *("inf", "unlimited", "null", '{"actor": 1e999}', '{"actor": 7}', "x" * 5_000),
            *("9" * 5_000, "[" * 5_000, "2026-11-23T08:36:41", "2026-W48-1T08Z", HOSTILE),
            *("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59.999999-23:59"),
            *("2026-11-23T08:36:41Z", TICKET.arrival_text),
        ]
    ),
    st.text(LETTERS, max_size=8),
)
METADATA = st.one_of(
    st.dictionaries(
        st.sampled_from([*encode_ticket(TICKET), "superseded_by"]), WORDS, max_size=2
    ).map(lambda changes: encode_ticket(TICKET) | changes),
    st.dictionaries(st.text(LETTERS, max_size=5), WORDS, max_size=3),
)
OBJECTS = st.tuples(
    st.one_of(
        st.sampled_from(["", "k1", "k2", "a-1", "x" * 128, "x" * 129, "deeper/k1", "../lock.json"]),
        st.text(LETTERS, max_size=5),
    ),
    METADATA,
    WORDS,
)


@given(METADATA, WORDS, WORDS)
@settings(max_examples=150)
def test_a_ticket_that_is_taken_is_written_again_as_it_is(
    metadata: dict[str, str], created: str, updated: str
) -> None:
    ticket = decode_ticket(
        "k3v9", metadata, generation=7, created_text=created, updated_text=updated
    )
    if ticket is None:
        return

    again = decode_ticket(
        "k3v9", encode_ticket(ticket), generation=7, created_text="", updated_text=updated
    )

    owner = Owner(**{key: printable(getattr(ticket.owner, key)) for key in OWNER_FIELDS})
    assert again == replace(ticket, owner=owner, job_key=printable(ticket.job_key))


@given(st.lists(OBJECTS, max_size=6))
@settings(max_examples=50)
def test_no_object_in_the_queue_stops_anybody(objects: list[tuple[str, Any, str]]) -> None:
    world = World()
    put(world, encode_record(replace(RECORDS[2], freed_at=NOW)))
    stranger = world.client("stranger")
    for name, metadata, updated in objects:
        path = PATHS.ticket(name)
        if path not in world.bucket.objects:
            stranger.store.write(path, b"junk", generation=0, metadata=metadata, timeout=1)
            there = world.bucket.objects[path]
            entry = replace(there.entry, updated_text=updated or there.entry.updated_text)
            world.bucket.objects[path] = replace(there, entry=entry)

    outcome = world.client("a").acquire(wait=120.0)

    assert isinstance(outcome, Acquired)
    # All of them may be tickets that live: six seconds for each.
    assert outcome.waited <= 6 * 6 + 5


DURATIONS = st.one_of(
    st.sampled_from(
        [
            *("0", "1", "30", "30s", "29.999", "2m", "24h", "24h1s", "86400.001", "720h", "721h"),
            *("168h", "1h30m", " 90s ", "9999999h", "99999h99999m99999s", "1e3", "-1", "inf"),
            *("nan", "٣s", "0.001", "1.0001", ".5", "5.", "1 h", "1H", "", HOSTILE, "9" * 5_000),
        ]
    ),
    st.text("0123456789.hms ", max_size=8),
    st.text(LETTERS, max_size=5),
)
INPUTS = st.fixed_dictionaries(
    {},
    optional={
        "name": st.one_of(
            st.sampled_from(["acme/api/prod", "queue", "a/../b", "x" * 65, "a\n", HOSTILE]),
            st.text("abz09._-/", max_size=9),
            st.text(LETTERS, max_size=5),
        ),
        "bucket": st.one_of(
            st.sampled_from(["gs://b-1/p/q/", " acme ", "gs://acme/..", "gs://gs://a", HOSTILE]),
            st.text("ab0.-_/:gs", max_size=9),
        ),
        "slots": WORDS,
        "wait": DURATIONS,
        "ttl": DURATIONS,
        "max_hold": DURATIONS,
        "queue": st.sampled_from(["fifo", "newest", ""]) | WORDS,
        "priority": st.integers(-1, 10).map(str) | WORDS,
        "sequence": st.integers(-1, 10**20).map(str) | WORDS,
        "reason": WORDS,
    },
)
GOOD = {"name": "prod", "bucket": "acme-locks", "slots": "1", "wait": "30m", "ttl": "2m"}


@given(INPUTS, st.booleans())
@settings(max_examples=150)
def test_inputs_that_are_taken_acquire_the_lock_that_they_name(
    changes: dict[str, str],
    kept: bool,  # noqa: FBT001 - hypothesis gives it
) -> None:
    texts = GOOD | {"max_hold": "6h"} | changes
    names = [texts.pop("name")]
    owner = Owner(reason=texts.pop("reason", ""))
    try:
        wanted = LockSettings(names=names, **texts)
        request = wanted.requests(owner=owner, renewed=kept)[0]
    except UsageError as refusal:
        assert_short_line(str(refusal))
        return
    world = World()
    client = world.client("a")
    lock = LockClient(
        request.paths,
        store=client.store,
        clock=world.clock,
        server_clock=client.server_clock,
        timing=request.timing,
    )

    outcome = Acquisition(
        lock,
        request,
        random=client.random,
        stop=client.stop,
        observer=client.diary,
        verifier=NoVerifier(),
    ).run()

    assert isinstance(outcome, Acquired)
    (path,) = world.bucket.objects
    assert path == f"{request.paths.location.prefix}/{names[0]}/lock.json"
    body = world.bucket.objects[path].body
    (holder,) = decode_record(body, uri=URI, name=names[0]).holders
    assert holder == replace(
        holder, owner=Owner(reason=truncated(owner.reason)), slots=request.slots
    )
    assert parse_slots(str(format_slots(request.slots))) == request.slots
    assert 0 <= request.wait <= MAX_WAIT
    assert 1 <= request.max_hold <= MAX_HOLD
    assert MIN_TTL <= holder.ttl == request.timing.ttl <= MAX_TTL
    assert request.timing.give_up <= holder.ttl * 2 / 3 + 1e-9
    assert kept == (request.timing.renew_every is not None)


STATES = st.one_of(
    damaged(json.loads(LEASE_REF.to_json()), json.loads(replace(LEASE_REF, token=0).to_json())),
    JSON_VALUES.map(json.dumps),
)


@given(STATES)
@settings(max_examples=150)
def test_a_state_that_is_taken_is_written_again_as_it_is(text: str) -> None:
    try:
        lease_ref = LeaseRef.from_json(text, source="lease file x")
    except UsageError as refusal:
        assert_short_line(str(refusal))
        return

    again = LeaseRef.from_json(lease_ref.to_json(), source="lease file x")

    assert again == lease_ref
    assert MIN_TTL <= again.timing.ttl <= MAX_TTL
    # Nothing was made up, and nothing overheard.
    assert json.loads(again.to_json()) == json.loads(text)
    assert text.count('"token"') == 1


@given(STATES)
@settings(max_examples=100)
def test_whatever_the_state_says_nobody_elses_lease_is_ended(text: str) -> None:
    try:
        lease_ref = LeaseRef.from_json(text, source="lease file x")
    except UsageError:
        return
    world = World()
    put(world, encode_record(RECORDS[0]))
    client = world.client("post")

    adopted = adopt(client.lock, lease_ref)
    result = end_lease(client.lock, lease_ref, random=client.random)

    mine = lease_ref.lease == HOLDER.lease
    assert hasattr(adopted, "deadline") == mine
    assert isinstance(result, NotHeld) != mine
    assert (HOLDER in read(world.record_body()).holders) != mine
