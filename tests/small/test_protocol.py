"""The transitions of a record: pure, idempotent by lease id, and each only as far as it may."""

import math
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gcs_ci_lock.protocol.admission import (
    AlreadyEnded,
    AlreadyHolding,
    MayClaim,
    MustWait,
    NeedsQueue,
    decide,
)
from gcs_ci_lock.protocol.json_reader import MAX_INTEGER
from gcs_ci_lock.protocol.queue import Claimant
from gcs_ci_lock.protocol.record import Freeze, Owner, Record
from gcs_ci_lock.protocol.record_json import decode_record, encode_record
from gcs_ci_lock.protocol.server_time import Interval
from gcs_ci_lock.protocol.transitions import (
    NotHeld,
    Removed,
    Stamped,
    drop_expired,
    empty_record,
    evict,
    freeze,
    grant,
    release,
    renew,
    unfreeze,
)
from tests.support.strategies import OWNERS, records

NOW = 1_795_422_000.0
ASKED = Interval(earliest=NOW - 5, latest=NOW - 4)
ME = Claimant(lease="me", owner=Owner(actor="alice"), slots=1, ttl=120.0, asked=ASKED)
EMPTY = Record(name="prod", fence=41)


def at(moment: float) -> Interval:
    return Interval(earliest=moment - 0.25, latest=moment + 0.5)


def granted(record: Record, claimant: Claimant = ME, moment: float = NOW) -> Record:
    return grant(record, claimant, now=at(moment), revision=1, fence_seen=0).record


HELD = granted(EMPTY)
EXPIRES_AT = HELD.holders[0].expires_at


@pytest.mark.example
def test_a_grant_stamps_the_latest_time_and_the_next_token() -> None:
    written = grant(EMPTY, ME, now=at(NOW), revision=7, fence_seen=0)

    assert written.record.fence == 42
    assert written.record.holders == (written.holder,)
    holder = written.holder
    assert (holder.token, holder.revision, holder.ttl) == (42, 7, 120.0)
    assert holder.expires_at == NOW + 0.5 + 120.0
    assert holder.granted_at == NOW - 0.25
    assert holder.asked_at == NOW - 5


@pytest.mark.example
def test_no_grant_goes_below_a_token_that_this_process_has_seen() -> None:
    written = grant(EMPTY, ME, now=at(NOW), revision=1, fence_seen=100)

    assert written.holder.token == written.record.fence == 101


@pytest.mark.example
def test_a_new_record_begins_with_the_servers_time_as_its_fence() -> None:
    assert empty_record("prod", 1_795_422_000.1239).fence == 1_795_422_000_123


@pytest.mark.property
@given(records())
@settings(max_examples=50)
def test_a_grant_applied_twice_changes_nothing_the_second_time(record: Record) -> None:
    once = grant(record, ME, now=at(NOW), revision=1, fence_seen=0)

    twice = grant(once.record, ME, now=at(NOW + 9), revision=2, fence_seen=0)

    assert twice.record == once.record
    assert twice.holder == once.holder


@pytest.mark.property
@given(records())
@settings(max_examples=50)
def test_a_release_applied_twice_changes_nothing_the_second_time(record: Record) -> None:
    once = release(granted(record), "me", earliest=NOW + 9)
    assert isinstance(once, Removed)

    twice = release(once.record, "me", earliest=NOW + 99)

    assert isinstance(twice, NotHeld)
    assert twice.ended is not None
    assert twice.ended.ended_at == NOW + 9


@pytest.mark.property
@given(records())
@settings(max_examples=50)
def test_a_release_ends_its_own_lease_and_leaves_the_rest(record: Record) -> None:
    result = release(granted(record), "me", earliest=NOW + 9, note="done")

    assert isinstance(result, Removed)
    assert result.ended == result.record.history[-1]
    after = result.record
    assert after.holders == record.holders
    assert after.history[:-1] == record.history
    ended = after.history[-1]
    assert (ended.lease, ended.outcome, ended.note) == ("me", "released", "done")
    assert after.freed_at == max(record.freed_at, NOW + 9)
    assert after.fence == record.fence + 1


@pytest.mark.property
@given(records())
@settings(max_examples=50)
def test_what_is_not_ours_is_neither_renewed_nor_released(record: Record) -> None:
    assume(record.holder("me") is None)

    renewed = renew(record, "me", now=at(NOW), revision=2)
    released = release(record, "me", earliest=NOW)

    assert isinstance(renewed, NotHeld)
    assert isinstance(released, NotHeld)
    assert released.holders == record.holders


@pytest.mark.property
@given(records())
@settings(max_examples=50)
def test_a_renewal_changes_the_stamp_and_the_beat_and_nothing_else(record: Record) -> None:
    before = granted(record)

    result = renew(before, "me", now=at(NOW + 20), revision=2)

    assert isinstance(result, Stamped)
    assert result.holder.expires_at == NOW + 20.5 + 120.0
    mine = before.holder("me")
    assert mine is not None
    restored = replace(result.holder, expires_at=mine.expires_at, revision=mine.revision)
    assert restored == mine
    assert replace(result.record, holders=before.holders) == before


@pytest.mark.example
def test_only_a_claim_drops_those_whose_time_is_over() -> None:
    other = replace(ME, lease="other", slots=2)
    both = granted(granted(EMPTY, replace(ME, slots=2)), other)

    renewed = renew(both, "other", now=at(EXPIRES_AT + 50), revision=2)
    released = release(both, "other", earliest=EXPIRES_AT + 50)

    assert isinstance(renewed, Stamped)
    assert isinstance(released, Removed)
    assert renewed.record.holder("me") is not None
    assert released.record.holder("me") is not None


@pytest.mark.example
def test_a_lease_is_over_at_its_very_end_and_not_before() -> None:
    before = drop_expired(HELD, math.nextafter(EXPIRES_AT, 0))
    after = drop_expired(HELD, EXPIRES_AT)

    assert before == HELD
    assert after.holders == ()
    assert after.history[-1].outcome == "expired"


@pytest.mark.example
def test_room_appeared_when_the_lease_ended_and_not_when_somebody_noticed() -> None:
    after = drop_expired(HELD, EXPIRES_AT + 3600)

    assert after.freed_at == EXPIRES_AT
    assert after.history[-1].ended_at == EXPIRES_AT


@pytest.mark.property
@given(records(), st.floats(0, 1e10))
@settings(max_examples=50)
def test_settling_twice_is_settling_once(record: Record, moment: float) -> None:
    once = drop_expired(record, moment)

    assert drop_expired(once, moment) == once
    assert all(h.expires_at > moment for h in once.holders)
    assert once.fence == record.fence
    assert once.freed_at >= record.freed_at


@pytest.mark.example
@pytest.mark.parametrize(("until", "frozen"), [(None, True), (NOW + 0.1, True), (NOW, False)])
def test_a_freeze_ends_by_itself(until: float | None, *, frozen: bool) -> None:
    freeze = Freeze(reason="release week", author="bob", since=NOW - 60, until=until)

    after = drop_expired(replace(EMPTY, frozen=freeze), NOW)

    assert (after.frozen is not None) is frozen
    assert after.freed_at == (0.0 if frozen else NOW)


@pytest.mark.example
def test_a_frozen_lock_is_waited_for() -> None:
    freeze = Freeze(reason="release week", author="bob", since=NOW - 60, until=None)

    decision = decide(replace(EMPTY, frozen=freeze), ME, tickets=[], earliest=NOW)

    assert isinstance(decision, MustWait)
    assert decision.frozen == freeze


@pytest.mark.example
@pytest.mark.parametrize(("freed_ago", "listed"), [(150.0, False), (149.9, True)])
def test_the_queue_is_listed_only_while_somebody_alive_may_wait(
    freed_ago: float, *, listed: bool
) -> None:
    record = replace(EMPTY, freed_at=NOW - freed_ago)

    decision = decide(record, ME, tickets=None, earliest=NOW)

    assert isinstance(decision, NeedsQueue if listed else MayClaim)


@pytest.mark.example
def test_a_held_lock_needs_the_queue_and_then_waiting() -> None:
    other = replace(ME, lease="other")

    assert isinstance(decide(HELD, other, tickets=None, earliest=NOW), NeedsQueue)
    assert isinstance(decide(HELD, other, tickets=[], earliest=NOW), MustWait)


@pytest.mark.example
def test_a_claim_that_has_landed_is_recognised() -> None:
    decision = decide(HELD, ME, tickets=None, earliest=NOW)

    assert decision == AlreadyHolding(holder=HELD.holders[0])


@pytest.mark.example
def test_a_lease_that_is_over_is_never_granted_again() -> None:
    over = drop_expired(HELD, EXPIRES_AT)

    decision = decide(over, ME, tickets=None, earliest=EXPIRES_AT + 1000)

    assert isinstance(decision, AlreadyEnded)


@pytest.mark.example
def test_the_history_keeps_fifty_ends() -> None:
    record = EMPTY
    for number in range(51):
        lease = f"lease-{number}"
        record = granted(record, replace(ME, lease=lease))
        result = release(record, lease, earliest=NOW)
        assert isinstance(result, Removed)
        record = result.record

    assert len(record.history) == 50
    assert record.history[0].lease == "lease-1"
    assert record.fence == 41 + 51


@pytest.mark.property
@given(record=records(), owner=OWNERS, moment=st.floats(0, 1e10), newest=st.booleans())
@settings(max_examples=50)
def test_what_was_read_can_be_written_after_every_transition(
    record: Record, owner: Owner, moment: float, *, newest: bool
) -> None:
    now = Interval(earliest=moment, latest=moment + 1)
    mine = replace(ME, owner=owner, asked=now, newest=newest, sequence=MAX_INTEGER)
    ready = drop_expired(record, moment)
    held = grant(ready, mine, now=now, revision=1, fence_seen=0).record
    frozen = freeze(held, Freeze(reason="", author="", since=moment, until=None))
    after = [held, frozen, unfreeze(frozen, earliest=moment)]
    ends = [
        renew(held, "me", now=now, revision=2),
        release(held, "me", earliest=moment, note="x" * 300),
        *(evict(held, h.lease, earliest=moment, note=owner.reason) for h in held.holders),
    ]
    after += [end.record for end in ends if not isinstance(end, NotHeld)]

    assert len(after) == 3 + len(ends)
    for one in after:
        body = encode_record(one)
        assert decode_record(body, uri="gs://b/locks/prod", name="prod").fence == one.fence
