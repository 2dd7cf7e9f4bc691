"""When a waiter looks again: soon, spread, and just after a known end."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gcs_ci_lock.locking.polling import (
    HEAD_POLL,
    POLL_SPREAD,
    SHORTEST_POLL,
    SLOWEST_POLL,
    next_pause,
)
from gcs_ci_lock.protocol.queue import QueuePosition
from gcs_ci_lock.protocol.record import Record
from tests.support.samples import FREEZE, HOLDER, NOW, RECORD, TICKET

FRACTIONS = st.floats(0, 1, exclude_max=True)
# Seconds from the look to the end of a lease or a freeze; an end may be over already.
LEFT = st.floats(-100, 1000)
NOBODY = replace(RECORD, holders=())


def behind(number: int) -> QueuePosition:
    return QueuePosition(ahead=(TICKET,) * number, settle_time=1.0, fits_holders=False)


def pause(
    record: Record, *, ahead: int = 0, at_most: float = math.inf, fraction: float = 0.5
) -> float:
    return next_pause(record, behind(ahead), earliest=NOW, at_most=at_most, fraction=fraction)


@pytest.mark.example
@pytest.mark.parametrize(("ahead", "seconds"), [(0, 1.0), (1, 2.0), (2, 3.0), (3, 4.0), (50, 4.0)])
def test_the_head_of_the_queue_looks_every_second_and_nobody_less_than_every_four(
    ahead: int, seconds: float
) -> None:
    assert pause(RECORD, ahead=ahead) == seconds


@pytest.mark.example
def test_a_known_end_of_a_lease_is_looked_at_just_after_it() -> None:
    soon = replace(HOLDER, expires_at=NOW + 0.5)

    found = pause(replace(RECORD, holders=(HOLDER, soon)), ahead=9)

    assert found == pytest.approx(0.5 + SHORTEST_POLL)


@pytest.mark.example
def test_a_known_end_of_a_freeze_is_looked_at_just_after_it() -> None:
    ends = replace(NOBODY, frozen=replace(FREEZE, until=NOW + 2.0))

    assert pause(ends, ahead=9) == pytest.approx(2.0 + SHORTEST_POLL)
    assert pause(replace(NOBODY, frozen=FREEZE), ahead=9) == SLOWEST_POLL


@pytest.mark.property
@given(st.integers(0, 9), FRACTIONS)
def test_looks_are_spread_by_a_fifth_to_both_sides(ahead: int, fraction: float) -> None:
    poll = min(HEAD_POLL + ahead, SLOWEST_POLL)

    found = pause(NOBODY, ahead=ahead, fraction=fraction)

    assert poll * (1 - POLL_SPREAD) <= found <= poll * (1 + POLL_SPREAD)
    assert found == pytest.approx(poll * (0.8 + 0.4 * fraction))


@pytest.mark.property
@given(
    leases=st.lists(LEFT, max_size=4),
    freeze=st.none() | LEFT,
    ahead=st.integers(0, 9),
    at_most=st.just(math.inf) | st.floats(0, 60),
    fraction=FRACTIONS,
)
def test_no_pause_is_shorter_than_a_twentieth_of_a_second_or_goes_beyond_a_known_end(
    leases: list[float], freeze: float | None, ahead: int, at_most: float, fraction: float
) -> None:
    holders = tuple(replace(HOLDER, expires_at=NOW + left) for left in leases)
    frozen = None if freeze is None else replace(FREEZE, until=NOW + freeze)
    record = replace(RECORD, holders=holders, frozen=frozen)

    found = pause(record, ahead=ahead, at_most=at_most, fraction=fraction)

    assert SHORTEST_POLL <= found <= SLOWEST_POLL * (1 + POLL_SPREAD)
    ends = [*leases, *([] if freeze is None else [freeze])]
    # A float near NOW has a resolution of a quarter of a microsecond.
    assert all(found <= max(left + SHORTEST_POLL, SHORTEST_POLL) + 1e-6 for left in ends)
    assert found <= max(at_most, SHORTEST_POLL)
