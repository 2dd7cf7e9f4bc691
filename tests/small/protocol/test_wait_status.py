"""What a waiter knows of the room in a lock."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gcs_ci_lock.protocol.queue import fits, max_renewable
from gcs_ci_lock.protocol.slots import UNLIMITED, Slots
from tests.support.samples import CLAIMANT, HOLDER, RECORD, WAIT_STATUS
from tests.support.strategies import SLOTS

EMPTY = replace(RECORD, holders=())
SHARED = replace(HOLDER, slots=UNLIMITED)


@pytest.mark.example
def test_the_shortest_lease_is_that_of_a_holder_or_the_waiters_own() -> None:
    record = replace(RECORD, holders=(replace(HOLDER, ttl=60.0), replace(HOLDER, ttl=600.0)))

    assert replace(WAIT_STATUS, record=record, ttl=120.0).shortest_ttl == 60.0
    assert replace(WAIT_STATUS, record=record, ttl=30.0).shortest_ttl == 30.0
    assert replace(WAIT_STATUS, record=EMPTY, ttl=90.0).shortest_ttl == 90.0


@pytest.mark.example
@pytest.mark.parametrize(
    ("mine", "holder", "capacity"),
    [(1, UNLIMITED, 1), (3, UNLIMITED, 3), (UNLIMITED, 2, 2), (UNLIMITED, UNLIMITED, 12)],
)
def test_the_smallest_slots_or_the_renewals_bound_how_many_hold_together(
    mine: Slots, holder: Slots, capacity: int
) -> None:
    record = replace(RECORD, holders=(replace(HOLDER, slots=holder),))

    assert replace(WAIT_STATUS, record=record, slots=mine).capacity == capacity


@pytest.mark.example
@pytest.mark.parametrize(
    ("holders", "slots", "kept_out"),
    [(12, UNLIMITED, True), (11, UNLIMITED, False), (12, 13, True), (12, 12, False)],
)
def test_only_where_the_slots_would_do_the_renewals_keep_a_waiter_out(
    holders: int, slots: Slots, *, kept_out: bool
) -> None:
    record = replace(RECORD, holders=(SHARED,) * holders)

    assert replace(WAIT_STATUS, record=record, slots=slots).kept_out_by_renewals is kept_out


@pytest.mark.property
@given(st.lists(SLOTS, max_size=6), SLOTS, st.sampled_from([30.0, 120.0, 3600.0]))
def test_a_waiter_fits_exactly_while_the_capacity_is_not_reached(
    holders: list[Slots], mine: Slots, ttl: float
) -> None:
    record = replace(RECORD, holders=tuple(replace(HOLDER, slots=slots) for slots in holders))
    status = replace(WAIT_STATUS, record=record, slots=mine, ttl=ttl)

    claimant = replace(CLAIMANT, slots=mine, ttl=ttl)
    assert fits(record.holders, claimant) == (len(holders) < status.capacity)
    assert status.capacity <= max_renewable(status.shortest_ttl)
    assert not (status.kept_out_by_renewals and fits(record.holders, claimant))
