"""The transitions of a record: pure, idempotent by lease id, and each only as far as it may."""

import itertools
import math
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule

from gcs_ci_lock.protocol.admission import (
    AlreadyEnded,
    AlreadyHolding,
    MayClaim,
    decide,
)
from gcs_ci_lock.protocol.json_reader import MAX_INTEGER
from gcs_ci_lock.protocol.queue import Claimant, fits
from gcs_ci_lock.protocol.record import (
    HISTORY_LENGTH,
    Freeze,
    LossReason,
    Owner,
    Record,
)
from gcs_ci_lock.protocol.record_json import decode_record, encode_record
from gcs_ci_lock.protocol.server_time import Interval
from gcs_ci_lock.protocol.slots import UNLIMITED, Slots
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
from tests.support.samples import CLAIMANT, ENDED, FREEZE, HOLDER, NOW, RECORD
from tests.support.strategies import OWNERS, records

ME = replace(CLAIMANT, lease="me", asked=Interval(earliest=NOW - 5, latest=NOW - 4))
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
    after = drop_expired(replace(EMPTY, frozen=replace(FREEZE, until=until)), NOW)

    assert (after.frozen is not None) is frozen
    assert after.freed_at == (0.0 if frozen else NOW)


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
    mine = replace(
        ME,
        owner=owner,
        asked=Interval(earliest=moment, latest=moment),
        newest=newest,
        sequence=MAX_INTEGER,
    )
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


@pytest.mark.example
def test_a_lease_that_ran_out_is_noted_without_words() -> None:
    after = drop_expired(RECORD, HOLDER.expires_at)

    assert after.holders == ()
    assert (after.history[-1].outcome, after.history[-1].note) == ("expired", "")
    assert after.history[-1].ended_at == after.freed_at == HOLDER.expires_at


@pytest.mark.example
def test_a_renewal_after_the_end_is_told_of_the_end() -> None:
    assert renew(RECORD, ENDED.lease, now=at(NOW), revision=4) == NotHeld(
        ended=ENDED, holders=(HOLDER,)
    )


@pytest.mark.example
@pytest.mark.parametrize("loss", [None, *LossReason])
def test_a_release_notes_why_the_lease_was_lost_before(loss: LossReason | None) -> None:
    result = release(RECORD, HOLDER.lease, earliest=NOW, note="why", loss=loss)

    assert isinstance(result, Removed)
    assert (result.ended.outcome, result.ended.note, result.ended.loss) == ("released", "why", loss)
    assert result.record.history == (ENDED, result.ended)


@pytest.mark.example
def test_an_eviction_and_an_expiry_are_their_own_reasons() -> None:
    evicted = evict(RECORD, HOLDER.lease, earliest=NOW, note="stuck")
    expired = drop_expired(RECORD, HOLDER.expires_at)

    assert isinstance(evicted, Removed)
    assert (evicted.ended.outcome, evicted.ended.loss) == ("evicted", None)
    assert (expired.history[-1].outcome, expired.history[-1].loss) == ("expired", None)


@pytest.mark.example
def test_what_is_not_held_is_not_evicted() -> None:
    result = evict(RECORD, ENDED.lease, earliest=NOW, note="stuck")

    assert result == NotHeld(ended=ENDED, holders=(HOLDER,))


@pytest.mark.example
def test_an_unfreeze_makes_room_now_and_only_if_there_was_a_freeze() -> None:
    frozen = replace(RECORD, frozen=FREEZE)

    assert unfreeze(RECORD, earliest=NOW) == RECORD
    assert unfreeze(frozen, earliest=NOW) == replace(RECORD, freed_at=NOW)
    # Clocks may differ: what was known of the room is not taken back.
    later = replace(frozen, freed_at=NOW + 9)
    assert unfreeze(later, earliest=NOW).freed_at == NOW + 9


class OneLock(RuleBasedStateMachine):
    """One record, one server clock, any number of jobs; each write goes through its JSON."""

    claimants = Bundle("claimants")

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.record: Record = empty_record("prod", NOW)
        self.tokens: list[int] = []
        self.granted: list[str] = []
        self.names = itertools.count()

    def write(self, record: Record) -> None:
        body = encode_record(record)
        self.record = decode_record(body, uri="gs://b/locks/prod/lock.json", name="prod")

    def interval(self, width: float) -> Interval:
        return Interval(earliest=self.now - width / 2, latest=self.now + width / 2)

    @rule(
        target=claimants,
        slots=st.sampled_from([1, 2, 3, UNLIMITED]),
        ttl=st.sampled_from([30.0, 120.0, 600.0]),
    )
    def ask(self, slots: Slots, ttl: float) -> Claimant:
        lease = f"lease-{next(self.names)}"
        return Claimant(lease=lease, owner=Owner(), slots=slots, ttl=ttl, asked=self.interval(1.0))

    @rule(claimant=claimants, width=st.floats(0, 3))
    def claim(self, claimant: Claimant, width: float) -> None:
        now = self.interval(width)
        before = drop_expired(self.record, now.earliest)
        decision = decide(before, claimant, tickets=[], earliest=now.earliest)
        if isinstance(decision, AlreadyHolding | AlreadyEnded):
            assert claimant.lease in self.granted
            return
        if not isinstance(decision, MayClaim):
            assert not fits(before.holders, claimant)
            return
        assert fits(before.holders, claimant)
        written = grant(before, claimant, now=now, revision=1, fence_seen=0)
        self.write(written.record)
        assert claimant.lease not in self.granted
        self.granted.append(claimant.lease)
        self.tokens.append(written.holder.token)

    @rule(claimant=claimants, width=st.floats(0, 3))
    def beat(self, claimant: Claimant, width: float) -> None:
        result = renew(self.record, claimant.lease, now=self.interval(width), revision=2)
        if isinstance(result, Stamped):
            assert claimant.lease in self.granted
            self.write(result.record)

    @rule(claimant=claimants)
    def end(self, claimant: Claimant) -> None:
        result = release(self.record, claimant.lease, earliest=self.now)
        if isinstance(result, NotHeld):
            assert self.record.holder(claimant.lease) is None
            return
        self.write(result.record)
        assert isinstance(release(self.record, claimant.lease, earliest=self.now), NotHeld)

    @rule(target=claimants, seconds=st.sampled_from([1.0, 29.0, 31.0, 121.0, 601.0]))
    def time_passes(self, seconds: float) -> object:
        self.now += seconds
        return multiple()

    @invariant()
    def tokens_only_rise(self) -> None:
        assert all(low < high for low, high in itertools.pairwise(self.tokens))
        assert not self.tokens or self.record.fence >= self.tokens[-1]

    @invariant()
    def nobody_stands_beside_more_than_it_tolerates(self) -> None:
        inside = [h for h in self.record.holders if self.now < h.expires_at]
        assert len(inside) <= min((h.slots for h in inside), default=0)

    @invariant()
    def every_lease_that_was_granted_is_accounted_for(self) -> None:
        assert len(self.granted) == len(set(self.granted))
        known = {h.lease for h in self.record.holders} | {e.lease for e in self.record.history}
        assert len(self.record.history) <= HISTORY_LENGTH
        if len(self.granted) <= HISTORY_LENGTH:
            assert known == set(self.granted)


TestOneLock = OneLock.TestCase


TestOneLock.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


TestOneLock.pytestmark = [pytest.mark.property]  # type: ignore[attr-defined]
