"""Edges of the core that only a deliberate change of its code showed to be untested."""

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from gcs_ci_lock.errors import RecordInvalid, UsageError
from gcs_ci_lock.locking.lease import LeaseState, Lost, removed_from_record, renewal_overdue
from gcs_ci_lock.locking.request import LockSettings
from gcs_ci_lock.protocol.admission import AlreadyEnded, decide
from gcs_ci_lock.protocol.json_reader import MAX_INTEGER, MAX_RECORD_BYTES
from gcs_ci_lock.protocol.names import Location, validate_name
from gcs_ci_lock.protocol.queue import Claimant, fits
from gcs_ci_lock.protocol.record import Freeze, Holder, LossReason, Owner, PastLease, Record, Ticket
from gcs_ci_lock.protocol.record_json import decode_record, encode_record
from gcs_ci_lock.protocol.server_time import Interval, Sample, ServerTime
from gcs_ci_lock.protocol.slots import UNLIMITED
from gcs_ci_lock.protocol.ticket_metadata import decode_ticket, encode_ticket
from gcs_ci_lock.protocol.timing import Timing, backoff
from gcs_ci_lock.protocol.transitions import NotHeld, drop_expired, renew

pytestmark = pytest.mark.example

HOLDER = Holder(
    lease="k3v9",
    owner=Owner(),
    slots=1,
    token=41,
    asked_at=10.0,
    granted_at=11.0,
    expires_at=131.0,
    ttl=120.0,
    revision=3,
)
ENDED = PastLease(
    lease="k3v8",
    owner=Owner(),
    token=40,
    asked_at=1.0,
    granted_at=2.0,
    ended_at=3.0,
    outcome="released",
)
FREEZE = Freeze(reason="r", author="a", since=1.0, until=None)
RECORD = Record(name="prod", fence=41, holders=(HOLDER,), frozen=FREEZE, history=(ENDED,))
CLAIMANT = Claimant(lease="k3w1", owner=Owner(), slots=1, ttl=120.0, asked_at=200.0)
TENURE = LeaseState(
    id="k3v9",
    token=41,
    timing=Timing.for_ttl(120.0),
    revision=3,
    sent_at=1_000.0,
    expires_at=131.0,
)


def problem_of(body: bytes) -> str:
    with pytest.raises(RecordInvalid) as refusal:
        decode_record(body, uri="gs://b/o", name="prod")
    return refusal.value.problem


def problem_with(place: str, changes: Mapping[str, Any]) -> str:
    """Return what is said of the record after a change in one of its parts."""
    document = json.loads(encode_record(RECORD))
    part = document[place] if place else document
    (part[0] if isinstance(part, list) else part).update(changes)
    return problem_of(json.dumps(document).encode())


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


def test_leases_that_stand_twice_are_told_of() -> None:
    document = json.loads(encode_record(RECORD))
    document["holders"] *= 2

    assert problem_of(json.dumps(document).encode()) == (
        "holders should be a list in which no lease stands twice, found ['k3v9', 'k3v9']"
    )


def test_the_greatest_token_is_written_and_what_is_no_number_is_not() -> None:
    last = replace(RECORD, fence=MAX_INTEGER)

    assert decode_record(encode_record(last), uri="gs://b/o", name="prod") == last
    with pytest.raises(ValueError, match="not JSON compliant"):
        encode_record(replace(RECORD, freed_at=math.nan))


def test_a_document_of_exactly_the_greatest_size_is_read() -> None:
    body = encode_record(RECORD)

    padded = body + b" " * (MAX_RECORD_BYTES - len(body))

    assert decode_record(padded, uri="gs://b/o", name="prod") == RECORD


def test_the_last_second_that_a_record_can_name_is_read() -> None:
    latest = replace(RECORD, freed_at=1e11)

    assert decode_record(encode_record(latest), uri="gs://b/o", name="prod") == latest


def test_a_long_value_is_shown_in_sixty_characters() -> None:
    problem = problem_with("", {"name": "x" * 1000})

    assert problem == f'name should be "prod", found \'{"x" * 56}...'


def sample(date: float, at: float) -> Sample:
    return Sample(date=date, sent=at, received=at)


def test_an_answer_counts_for_a_minute_and_no_longer() -> None:
    known = ServerTime().observing(sample(1_000.0, 5_000.0))

    assert len(known.observing(sample(1_060.0, 5_060.0)).samples) == 2
    assert len(known.observing(sample(1_060.5, 5_060.5)).samples) == 1


def test_an_old_answer_counts_only_while_there_is_no_newer_one() -> None:
    # Both are true of a server whose second 1 001 began at 5 001.25 to 5 001.5 of our clock.
    both = ServerTime().observing(sample(1_000.0, 5_001.25)).observing(sample(1_001.0, 5_001.5))

    assert both.at(5_061.25) == Interval(earliest=1_060.75, latest=1_076.0)
    assert both.at(5_061.5) == Interval(earliest=1_061.0, latest=1_077.0)


def test_answers_that_agree_on_one_moment_alone_agree() -> None:
    known = ServerTime().observing(sample(1_000.0, 100.0)).observing(sample(1_002.25, 101.0))

    assert known.at(101.0) == Interval(earliest=1_002.25, latest=1_002.25)


@pytest.mark.parametrize(
    ("trouble", "because"), [("", ""), ("no\nanswer", " (no?answer)")], ids=["silent", "known"]
)
def test_a_holder_that_gives_up_says_why(trouble: str, because: str) -> None:
    lost = renewal_overdue(TENURE, 1_090.0, trouble)

    assert lost.message == (f"token 41 could not be renewed for 1m30s; the limit is 1m20s{because}")
    assert renewal_overdue(TENURE, 1_090.0).message.endswith("the limit is 1m20s")


@pytest.mark.parametrize(
    ("ended", "holders", "message"),
    [
        (
            None,
            (),
            "token 41 is not in the record any more: somebody deleted or replaced the record",
        ),
        (replace(ENDED, outcome="expired"), (), "token 41 expired at 00:00:03Z"),
        (
            replace(ENDED, outcome="evicted", note="at\nonce"),
            (replace(HOLDER, token=42), replace(HOLDER, token=43)),
            'token 41 was evicted at 00:00:03Z ("at?once")',
        ),
    ],
)
def test_a_holder_is_told_how_its_lease_was_taken(
    ended: PastLease | None, holders: tuple[Holder, ...], message: str
) -> None:
    not_held = NotHeld(ended=ended, holders=holders)

    lost = removed_from_record(TENURE.token, not_held)

    reason = LossReason(ended.outcome) if ended else LossReason.RECORD_REPLACED
    assert lost == Lost(reason=reason, message=message, ended=ended, holders=holders)


def test_a_wrong_name_is_told_what_a_name_is() -> None:
    with pytest.raises(UsageError) as refusal:
        validate_name("A")

    assert str(refusal.value) == (
        'lock name "A" is not allowed: expected 1 to 8 segments joined by "/", each of 1 to 64 of '
        'a-z 0-9 . _ - and none of them ".", ".." or "queue", for example "prod" or '
        '"acme/api/prod"'
    )


def test_a_wrong_bucket_is_told_what_a_bucket_is() -> None:
    with pytest.raises(UsageError) as refusal:
        Location.parse("A")

    assert str(refusal.value) == (
        'bucket "A" is not valid: expected BUCKET or gs://BUCKET/PREFIX, for example '
        '"acme-locks" or "gs://acme-locks/locks"'
    )


def test_only_slashes_are_taken_from_the_end_of_a_prefix() -> None:
    assert Location.parse("acme-locks/TeamX//").prefix == "TeamX"


INPUTS: dict[str, Any] = {
    "names": ["prod"],
    "bucket": "acme-locks",
    "slots": "1",
    "wait": "30m",
    "ttl": "2m",
    "max_hold": "6h",
}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"bucket": " "},
            (
                "no bucket is given: expected BUCKET or gs://BUCKET/PREFIX as the action's input "
                "`bucket`, the option --bucket or the variable GCS_CI_LOCK_BUCKET"
            ),
        ),
        ({"max_hold": "x"}, 'max-hold "x" is not a duration: expected one like 90s, 30m or 2h'),
        ({"max_hold": "0.9"}, "max-hold 1s is out of range: expected 1s to 168h00m"),
        ({"wait": "x"}, 'wait "x" is not a duration: expected one like 90s, 30m or 2h'),
        ({"ttl": "x"}, 'ttl "x" is not a duration: expected one like 90s, 30m or 2h'),
    ],
    ids=str,
)
def test_a_wrong_word_is_told_with_its_name(changes: dict[str, str], words: str) -> None:
    with pytest.raises(UsageError) as refusal:
        LockSettings(**INPUTS | changes).requests(owner=Owner())

    assert str(refusal.value) == words


@pytest.mark.parametrize("max_hold", ["1", "168h"])
def test_the_ends_of_the_range_of_max_hold_are_taken(max_hold: str) -> None:
    request = LockSettings(**INPUTS | {"max_hold": max_hold}).requests(owner=Owner())[0]

    assert request.max_hold == (1.0 if max_hold == "1" else 604_800.0)


def test_a_lease_that_ran_out_is_noted_without_words() -> None:
    after = drop_expired(replace(RECORD, frozen=None), 131.0)

    assert after.holders == ()
    assert (after.history[-1].outcome, after.history[-1].note) == ("expired", "")
    assert after.history[-1].ended_at == after.freed_at == 131.0


def test_a_lease_that_has_ended_is_told_with_its_end() -> None:
    again = replace(CLAIMANT, lease="k3v8")

    assert decide(RECORD, again, tickets=None, earliest=20.0) == AlreadyEnded(ended=ENDED)


def test_a_renewal_after_the_end_is_told_of_the_end() -> None:
    now = Interval(earliest=20.0, latest=21.0)

    assert renew(RECORD, "k3v8", now=now, beat=4) == NotHeld(ended=ENDED, holders=(HOLDER,))


@pytest.mark.parametrize(
    ("ttl", "together"),
    # A beat is a sixth of it, and 0.6 writes a second are shared by all.
    [(1.0, 1), (10.0, 1), (19.9, 1), (20.0, 2), (30.0, 3), (120.0, 12)],
)
def test_only_as_many_hold_together_as_one_object_takes_writes(ttl: float, together: int) -> None:
    one = replace(CLAIMANT, slots=UNLIMITED, ttl=ttl)

    assert fits([one] * (together - 1), one)
    assert not fits([one] * together, one)


@pytest.mark.parametrize(
    ("boot", "latest", "believed"),
    [
        (1_079.9, -math.inf, True),
        (1_080.0, -math.inf, False),
        (1_000.0, 110.9, True),
        (1_000.0, 111.0, False),
        (1_000.0, 140.0, False),
    ],
)
def test_a_lease_is_believed_up_to_its_deadline_and_a_margin_before_its_expiry(
    boot: float,
    latest: float,
    believed: bool,  # noqa: FBT001 - a row of the table
) -> None:
    assert TENURE.believes_held(boot, latest) == believed


CREATED = "2026-11-23T14:02:11.250000+00:00"
UPDATED = "2026-11-23T14:02:41.250000+00:00"
BORN = "2026-11-23T14:02:21.250000+00:00"
TICKET = Ticket(
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


def decode(metadata: Mapping[str, str]) -> Ticket | None:
    return decode_ticket("k3v9", metadata, generation=7, created_text="", updated_text=UPDATED)


@pytest.mark.parametrize("priority", [0, 9])
def test_all_that_a_ticket_says_arrives(priority: int) -> None:
    ticket = replace(TICKET, priority=priority)

    assert decode(encode_ticket(ticket)) == ticket


def test_a_ticket_is_written_as_others_read_it() -> None:
    assert encode_ticket(TICKET) == {
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


@pytest.mark.parametrize("key", ["schema", "slots", "ttl", "priority", "arrival"])
def test_a_ticket_without_one_of_its_fields_is_none(key: str) -> None:
    metadata = {k: v for k, v in encode_ticket(TICKET).items() if k != key}

    assert decode(metadata) is None


def test_a_ticket_may_leave_out_what_is_empty() -> None:
    metadata = {"schema": "1", "slots": "2", "ttl": "0.5", "priority": "9", "arrival": CREATED}

    bare = replace(TICKET, owner=Owner(), job_key="", superseded_by="")
    assert decode(metadata) == replace(bare, created=TICKET.arrival, created_text=CREATED)


@pytest.mark.parametrize(
    ("give_up", "beat", "message"),
    [
        (80.1, None, "give-up 80.1 s must be at most two thirds of ttl 120.0 s"),
        (0.0, None, "give-up 0.0 s must be at most two thirds of ttl 120.0 s"),
        (60.0, 20.1, "beat 20.1 s must be at most a third of give-up 60.0 s"),
        (60.0, 0.0, "beat 0.0 s must be at most a third of give-up 60.0 s"),
    ],
)
def test_an_unsafe_time_is_told_of(give_up: float, beat: float | None, message: str) -> None:
    with pytest.raises(UsageError) as refusal:
        Timing(ttl=120.0, give_up=give_up, renew_every=beat)

    assert str(refusal.value) == message


@pytest.mark.parametrize(
    ("give_up", "beat"), [(80.0, 80.0 / 3), (60.0, 20.0), (0.5, 0.1), (0.9, None)]
)
def test_the_safe_times_reach_to_their_bounds(give_up: float, beat: float | None) -> None:
    timing = Timing(ttl=120.0, give_up=give_up, renew_every=beat)

    assert (timing.give_up, timing.renew_every) == (give_up, beat)


def test_the_longest_lease_without_beats_is_sixteen_hours() -> None:
    assert Timing.without_renewal(57_600.0).ttl == 86_400.0
    with pytest.raises(UsageError, match="max-hold 16h00m is too long"):
        Timing.without_renewal(57_600.1)


@pytest.mark.parametrize(
    ("attempt", "longest"), [(0, 1.0), (1, 2.0), (2, 4.0), (3, 8.0), (4, 8.0), (2_000, 8.0)]
)
def test_pauses_double_up_to_eight_seconds(attempt: int, longest: float) -> None:
    assert backoff(attempt, 1.0) == longest
    assert backoff(attempt, 0.25) == longest / 4
