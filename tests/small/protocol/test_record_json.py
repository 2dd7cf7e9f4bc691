"""The record's JSON: whole when it is ours, refused when it is not, never read as "free"."""

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gcs_ci_lock.errors import RecordInvalid, UsageError
from gcs_ci_lock.protocol.json_reader import MAX_INTEGER, MAX_RECORD_BYTES
from gcs_ci_lock.protocol.record import (
    OWNER_FIELDS,
    Freeze,
    LossReason,
    Owner,
    Record,
)
from gcs_ci_lock.protocol.record_json import decode_record, encode_record
from tests.support.samples import ENDED, FREEZE, HOLDER, RECORD
from tests.support.strategies import records

URI = "gs://acme-locks/locks/prod/lock.json"
FROZEN = replace(RECORD, frozen=FREEZE)


def read(body: bytes | None) -> Record:
    return decode_record(body, uri=URI, name="prod")


def document() -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(encode_record(RECORD))
    return decoded


@pytest.mark.property
@given(records())
@settings(max_examples=60)
def test_what_is_written_is_what_is_read(record: Record) -> None:
    assert read(encode_record(record)) == record


@pytest.mark.property
@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
def test_any_bytes_are_a_record_or_refused(body: bytes) -> None:
    with pytest.raises(RecordInvalid, match="left as it is"):
        read(body)


@pytest.mark.property
@given(
    st.sampled_from([*sorted(document()), "more"]),
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
        lambda inner: st.one_of(
            st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=5), inner, max_size=2)
        ),
        max_leaves=4,
    ),
)
def test_any_value_in_any_field_is_understood_or_refused(key: str, value: object) -> None:
    body = json.dumps({**document(), key: value}).encode()

    try:
        record = read(body)
    except RecordInvalid:
        return

    # Whatever is taken can be written again.
    assert read(encode_record(record)) == record


@pytest.mark.example
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not JSON",
        b"null",
        b"[]",
        b'"prod"',
        b"\xff\xfe",
        b"[" * 100_000,
        b" " * (MAX_RECORD_BYTES + 1),
        None,
    ],
    ids=["empty", "text", "null", "list", "string", "not UTF-8", "deep", "too large", "unread"],
)
def test_a_body_that_is_no_object_is_refused(body: bytes | None) -> None:
    with pytest.raises(RecordInvalid) as refusal:
        read(body)

    assert URI in str(refusal.value)
    assert f"gcloud storage cat {URI}" in str(refusal.value)
    assert refusal.value.exit_code == 2


@pytest.mark.example
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"schema": 99}, "newer program"),
        ({"schema": True}, "schema"),
        ({"schema": "1"}, "schema"),
        ({"schema": 1.0}, "schema"),
        ({"name": "other"}, 'name should be "prod"'),
        ({"fence": -1}, "fence"),
        ({"fence": 41.0}, "fence"),
        ({"fence": True}, "fence"),
        ({"fence": MAX_INTEGER + 1}, "fence"),
        ({"freed_at": -1}, "freed_at"),
        ({"freed_at": 1e12}, "freed_at"),
        ({"freed_at": False}, "freed_at"),
        ({"holders": {}}, "holders"),
        ({"holders": None}, "holders"),
        ({"holders": [1]}, "holders[0]"),
        ({"frozen": []}, "frozen"),
        ({"frozen": {"reason": "x"}}, "until"),
        ({"sequences": {"x": "1"}}, "sequences.x"),
        ({"history": "x"}, "history"),
        ({"surprise": 1}, "surprise"),
    ],
    ids=str,
)
def test_a_wrong_field_is_named(changes: dict[str, Any], words: str) -> None:
    body = json.dumps({**document(), **changes}).encode()

    with pytest.raises(RecordInvalid) as refusal:
        read(body)

    assert words in str(refusal.value)


@pytest.mark.example
@pytest.mark.parametrize("key", sorted(document()))
def test_a_missing_field_is_named(key: str) -> None:
    rest = {name: value for name, value in document().items() if name != key}

    with pytest.raises(RecordInvalid, match=f'"{key}"'):
        read(json.dumps(rest).encode())


@pytest.mark.example
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"token": None}, "token"),
        ({"token": 0}, "token"),
        ({"token": 42}, "from 1 to 41"),
        ({"slots": 0}, "slots"),
        ({"slots": 1.5}, "slots"),
        ({"slots": "many"}, "slots"),
        ({"slots": True}, "slots"),
        ({"lease": ""}, "lease"),
        ({"lease": "../x"}, "lease"),
        ({"lease": "x" * 129}, "lease"),
        ({"expires_at": "soon"}, "expires_at"),
        ({"expires_at": -5}, "expires_at"),
        ({"ttl": [1]}, "ttl"),
        ({"beat": 1.5}, "beat"),
        ({"owner": "alice"}, "owner"),
        ({"owner": {"actor": ["alice"]}}, "owner.actor"),
        ({"extra": 1}, "extra"),
    ],
    ids=str,
)
def test_a_wrong_holder_is_refused(changes: dict[str, Any], words: str) -> None:
    wrong = document()
    wrong["holders"][0] |= changes

    with pytest.raises(RecordInvalid) as refusal:
        read(json.dumps(wrong).encode())

    assert words in str(refusal.value)


@pytest.mark.example
def test_a_holder_without_a_token_is_refused() -> None:
    wrong = document()
    del wrong["holders"][0]["token"]

    with pytest.raises(RecordInvalid, match="token"):
        read(json.dumps(wrong).encode())


@pytest.mark.example
@pytest.mark.parametrize("field", ["lease", "token"])
def test_two_holders_cannot_share_a_lease_or_a_token(field: str) -> None:
    other = {"lease": "k3v1", "token": 40, field: document()["holders"][0][field]}
    wrong = document()
    wrong["holders"].append({**wrong["holders"][0], **other})

    with pytest.raises(RecordInvalid, match=f"no {field} stands twice"):
        read(json.dumps(wrong).encode())


@pytest.mark.example
def test_an_end_of_an_unknown_kind_is_refused() -> None:
    wrong = document()
    wrong["history"][0]["outcome"] = "vanished"

    with pytest.raises(RecordInvalid, match="outcome"):
        read(json.dumps(wrong).encode())


@pytest.mark.example
@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_are_none_are_refused(text: str) -> None:
    body = encode_record(RECORD).replace(b'"freed_at": 0.0', f'"freed_at": {text}'.encode())

    with pytest.raises(RecordInvalid):
        read(body)


@pytest.mark.example
def test_a_key_that_stands_twice_is_refused() -> None:
    body = encode_record(RECORD).replace(b'"fence": 41', b'"fence": 41, "fence": 7')

    with pytest.raises(RecordInvalid, match="twice"):
        read(body)


@pytest.mark.example
def test_a_hostile_value_is_shown_short_and_on_one_line() -> None:
    evil = "\r\n::error::x##[y" + "z" * 10_000
    body = json.dumps({**document(), "name": evil}).encode()

    with pytest.raises(RecordInvalid) as refusal:
        read(body)

    message = str(refusal.value)
    assert "\n" not in message
    assert "::" not in message.replace("gs://", "")
    assert "##[" not in message
    assert len(message) < 500


@pytest.mark.example
def test_foreign_text_is_cut_on_writing() -> None:
    long = replace(ENDED, note="n" * 201, owner=Owner(reason="r" * 300))
    frozen = Freeze(reason="f" * 201, author="a" * 201, since=0.0, until=None)
    record = replace(RECORD, history=(long,), frozen=frozen)

    written = read(encode_record(record))

    assert len(written.history[0].note) == 200
    assert len(written.history[0].owner.reason) == 200
    assert written.frozen == Freeze(reason="f" * 200, author="a" * 200, since=0.0, until=None)


@pytest.mark.example
def test_an_owner_of_a_later_version_is_taken_as_far_as_it_is_known() -> None:
    newer = document()
    newer["holders"][0]["owner"] |= {"team": "payments", "run_id": 8123}

    record = read(json.dumps(newer).encode())

    assert record.holders[0].owner == replace(HOLDER.owner, run_id="8123")


@pytest.mark.example
def test_only_the_last_fifty_ends_and_hundred_lines_are_kept() -> None:
    ends = tuple(replace(ENDED, lease=f"k{number}") for number in range(51))
    record = replace(RECORD, history=ends, sequences={f"line-{n}": n for n in range(101)})

    written = read(encode_record(record))

    assert [written.history[0].lease, len(written.history)] == ["k1", 50]
    assert "line-0" not in written.sequences
    assert len(written.sequences) == 100


@pytest.mark.example
def test_a_record_that_could_not_be_read_back_is_not_written() -> None:
    with pytest.raises(UsageError, match="no fencing token left"):
        encode_record(replace(RECORD, fence=MAX_INTEGER + 1))
    far = Freeze(reason="", author="", since=0.0, until=253402214400.0)
    with pytest.raises(UsageError, match=r"refused to write.*frozen.until should be a number"):
        encode_record(replace(RECORD, frozen=far))


@pytest.mark.example
def test_a_record_with_too_many_holders_is_not_written() -> None:
    long = Owner(**dict.fromkeys(OWNER_FIELDS, "x" * 200))
    holders = tuple(replace(HOLDER, lease=f"k{n}", token=n + 1, owner=long) for n in range(1_700))

    with pytest.raises(UsageError, match="too large"):
        encode_record(replace(RECORD, fence=1_700, holders=holders))


@pytest.mark.example
@pytest.mark.parametrize("where", ["sequences", "owner", "top"])
def test_a_hostile_key_is_shown_on_one_line_too(where: str) -> None:
    evil = "x\n::stop-commands::pwned\n::warning::y"
    wrong = document()
    if where == "sequences":
        wrong["sequences"] = {evil: "q"}
    elif where == "owner":
        wrong["holders"][0]["owner"] = {evil: []}
    else:
        wrong[evil] = 1

    with pytest.raises(RecordInvalid) as refusal:
        read(json.dumps(wrong).encode())

    message = str(refusal.value)
    assert "\n" not in message
    assert "::" not in message


def problem_of(body: bytes) -> str:
    with pytest.raises(RecordInvalid) as refusal:
        read(body)
    return refusal.value.problem


def problem_with(place: str, changes: Mapping[str, Any]) -> str:
    """Return what is said of the record after a change in one of its parts."""
    document = json.loads(encode_record(FROZEN))
    part = document[place] if place else document
    (part[0] if isinstance(part, list) else part).update(changes)
    return problem_of(json.dumps(document).encode())


@pytest.mark.example
@pytest.mark.parametrize(
    ("place", "changes", "problem"),
    [
        ("", {"schema": 9}, "schema should be 1 (a newer program may have written it), found 9"),
        ("", {"name": "x"}, "name should be \"prod\", found 'x'"),
        ("", {"holders": 7}, "the record.holders should be a list, found 7"),
        ("", {"freed_at": []}, "the record.freed_at should be a number from 0 to 1e+11, found []"),
        (
            "",
            dict.fromkeys("abcdef", 0),
            "the record should be an object without other fields, found ['a', 'b', 'c', 'd', 'e']",
        ),
        (
            "holders",
            {"lease": "a/b"},
            "holders[0].lease should be 1 to 128 letters, digits, - or _, found 'a/b'",
        ),
        ("holders", {"ttl": "x"}, "holders[0].ttl should be a number from 0 to 1e+11, found 'x'"),
        ("holders", {"token": 42}, "holders[0].token should be an integer from 1 to 41, found 42"),
        ("holders", {"owner": 7}, "holders[0].owner should be an object, found 7"),
        (
            "holders",
            {"owner": {"actor": 1.5}},
            "holders[0].owner.actor should be a text or an integer, found 1.5",
        ),
        (
            "history",
            {"outcome": "gone"},
            "history[0].outcome should be released or expired or evicted, found 'gone'",
        ),
        ("history", {"note": None}, "history[0].note should be a text, found None"),
        ("frozen", {"author": 7}, "frozen.author should be a text, found 7"),
        ("frozen", {"x": 7}, "frozen should be an object without other fields, found ['x']"),
    ],
    ids=str,
)
def test_a_wrong_value_is_told_with_its_place_and_what_belongs_there(
    place: str, changes: dict[str, Any], problem: str
) -> None:
    assert problem_with(place, changes) == problem


@pytest.mark.example
@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"{}", 'the record should be an object with "schema", found []'),
        (b"[]", "record should be an object, found []"),
        (b'{"a": NaN}', "it is not JSON (NaN is not JSON)"),
        (b'{"a": 1, "a": 1}', "it is not JSON (a key stands twice in one object)"),
        (b" " * (MAX_RECORD_BYTES + 1), "it is larger than 4194304 bytes"),
    ],
    ids=["empty", "list", "NaN", "twice", "large"],
)
def test_a_wrong_document_is_told_of(body: bytes, problem: str) -> None:
    assert problem_of(body) == problem


@pytest.mark.example
def test_leases_that_stand_twice_are_told_of() -> None:
    document = json.loads(encode_record(FROZEN))
    document["holders"] *= 2

    assert problem_of(json.dumps(document).encode()) == (
        "holders should be a list in which no lease stands twice, found ['k3v9', 'k3v9']"
    )


@pytest.mark.example
def test_the_greatest_token_is_written_and_what_is_no_number_is_not() -> None:
    last = replace(FROZEN, fence=MAX_INTEGER)

    assert read(encode_record(last)) == last
    with pytest.raises(ValueError, match="not JSON compliant"):
        encode_record(replace(FROZEN, freed_at=math.nan))


@pytest.mark.example
def test_a_document_of_exactly_the_greatest_size_is_read() -> None:
    body = encode_record(FROZEN)

    padded = body + b" " * (MAX_RECORD_BYTES - len(body))

    assert read(padded) == FROZEN


@pytest.mark.example
def test_the_last_second_that_a_record_can_name_is_read() -> None:
    latest = replace(FROZEN, freed_at=1e11)

    assert read(encode_record(latest)) == latest


@pytest.mark.example
def test_a_long_value_is_shown_in_sixty_characters() -> None:
    problem = problem_with("", {"name": "x" * 1000})

    assert problem == f'name should be "prod", found \'{"x" * 56}...'


@pytest.mark.example
@pytest.mark.parametrize("reason", list(LossReason))
def test_why_a_lease_was_lost_is_written_and_read(reason: LossReason) -> None:
    record = replace(RECORD, history=(replace(ENDED, loss=reason), ENDED))

    body = encode_record(record)

    assert [end.loss for end in read(body).history] == [reason, None]
    assert type(read(body).history[0].loss) is LossReason
    # Only where there is something to say.
    assert [end.get("loss") for end in json.loads(body)["history"]] == [str(reason), None]
    assert body.count(b'"loss"') == 1


@pytest.mark.example
def test_a_record_that_knew_nothing_of_losses_is_read() -> None:
    before = document()

    assert "loss" not in before["history"][0]
    assert read(json.dumps(before).encode()).history == (ENDED,)


@pytest.mark.example
@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("gone", "history[0].loss should be renewal_overdue or max_hold or keeper_gone or"),
        ("MAX_HOLD", "history[0].loss should be renewal_overdue or max_hold"),
        ("", "history[0].loss should be renewal_overdue or max_hold"),
        (None, "history[0].loss should be a text, found None"),
        (1, "history[0].loss should be a text, found 1"),
        (["max_hold"], "history[0].loss should be a text, found ['max_hold']"),
    ],
)
def test_a_loss_that_is_not_known_is_refused(value: object, problem: str) -> None:
    assert problem_with("history", {"loss": value}).startswith(problem)
