"""Every mix of claims, renewals, releases and time on one record; hypothesis looks for the flaw."""

import itertools

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule

from gcs_ci_lock.protocol.admission import AlreadyEnded, AlreadyHolding, MayClaim, decide
from gcs_ci_lock.protocol.queue import Claimant, fits
from gcs_ci_lock.protocol.record import HISTORY_LENGTH, Owner, Record
from gcs_ci_lock.protocol.record_json import decode_record, encode_record
from gcs_ci_lock.protocol.server_time import Interval
from gcs_ci_lock.protocol.slots import UNLIMITED, Slots
from gcs_ci_lock.protocol.transitions import (
    NotHeld,
    Stamped,
    drop_expired,
    empty_record,
    grant,
    release,
    renew,
)

START = 1_795_422_000.0


class OneLock(RuleBasedStateMachine):
    """One record, one server clock, any number of jobs; each write goes through its JSON."""

    claimants = Bundle("claimants")

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.record: Record = empty_record("prod", START)
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
        asked = self.interval(1.0)
        return Claimant(lease=lease, owner=Owner(), slots=slots, ttl=ttl, asked=asked)

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
