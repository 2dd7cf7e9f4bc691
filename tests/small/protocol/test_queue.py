"""Who fits, who is ahead, and how long to look on before passing somebody over."""

import itertools
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gcs_ci_lock.locking.polling import POLL_SPREAD, SLOWEST_POLL
from gcs_ci_lock.protocol.queue import Claimant, active, fits, is_abandoned, position_of
from gcs_ci_lock.protocol.record import Holder, Ticket
from gcs_ci_lock.protocol.slots import UNLIMITED, Slots
from tests.support.samples import CLAIMANT, ENDED, HOLDER, RECORD, TICKET
from tests.support.strategies import SLOTS


def holder(slots: Slots, *, ttl: float = 120.0, lease: str = "h") -> Holder:
    return replace(HOLDER, lease=lease, slots=slots, ttl=ttl)


def claimant(slots: Slots = 1, *, arrival: float = 100.0, priority: int = 5) -> Claimant:
    return replace(CLAIMANT, lease="me", slots=slots, arrival=arrival, priority=priority)


def ticket(
    lease: str, *, arrival: float = 50.0, slots: Slots = 1, priority: int = 5, seen: float = 1000.0
) -> Ticket:
    return replace(
        TICKET, lease=lease, slots=slots, arrival=arrival, refreshed_at=seen, priority=priority
    )


@pytest.mark.example
@pytest.mark.parametrize(
    ("holders", "mine", "expected"),
    [
        ([], 1, True),
        ([1], 1, False),
        ([1], UNLIMITED, False),
        ([UNLIMITED], 1, False),
        ([UNLIMITED] * 3, UNLIMITED, True),
        ([3, 3], 3, True),
        ([3, 3, 3], 3, False),
        # Two that disagree about N are both kept.
        ([3, 3], 2, False),
        ([2, 2], 3, False),
        ([2], 3, True),
    ],
)
def test_the_smallest_slots_decide(holders: list[Slots], mine: Slots, *, expected: bool) -> None:
    assert fits([holder(slots) for slots in holders], claimant(mine)) is expected


@pytest.mark.property
@given(st.lists(SLOTS, max_size=12), SLOTS)
def test_nobody_ever_stands_beside_more_than_it_tolerates(
    holders: list[Slots], mine: Slots
) -> None:
    if fits([holder(slots) for slots in holders], claimant(mine)):
        assert all(len(holders) + 1 <= slots for slots in [*holders, mine])


@pytest.mark.example
@pytest.mark.parametrize(("ttl", "most"), [(120.0, 12), (600.0, 60), (30.0, 3)])
def test_one_object_takes_only_so_many_beats(ttl: float, most: int) -> None:
    readers = [holder(UNLIMITED, ttl=ttl) for _ in range(most)]
    reader = replace(CLAIMANT, slots=UNLIMITED, ttl=ttl)

    assert fits(readers[:-1], reader)
    assert not fits(readers, reader)


@pytest.mark.example
def test_priority_goes_before_arrival_and_arrival_before_the_lease_id() -> None:
    tickets = [
        ticket("late", arrival=99.0),
        ticket("b", arrival=50.0),
        ticket("a", arrival=50.0),
        ticket("urgent", arrival=99.5, priority=9),
        ticket("behind", arrival=100.5),
        ticket("slow", arrival=1.0, priority=0),
    ]

    position = position_of(claimant(), [], tickets)

    assert [t.lease for t in position.ahead] == ["urgent", "a", "b", "late"]
    assert position.rank == 5


@pytest.mark.example
def test_my_own_ticket_is_not_ahead_of_me() -> None:
    position = position_of(claimant(), [], [ticket("me", arrival=1.0)])

    assert position.ahead == ()
    assert position.settle_time == 0.0


@pytest.mark.example
@pytest.mark.parametrize(("ahead", "patience"), [(0, 0.0), (1, 6.0), (2, 12.0), (5, 30.0)])
def test_each_sleeper_ahead_costs_six_seconds(ahead: int, patience: float) -> None:
    tickets = [ticket(f"t{number}", arrival=float(number)) for number in range(ahead)]

    assert position_of(claimant(), [], tickets).settle_time == patience


@pytest.mark.example
def test_a_place_in_line_is_worth_more_than_the_slowest_poll() -> None:
    # Who stands there begins to count only when it looks: with less, a later one moved up first.
    tickets = [ticket(f"t{number}", arrival=float(number)) for number in range(5)]

    patience = [position_of(claimant(), [], tickets[:ahead]).settle_time for ahead in range(6)]

    gaps = [later - earlier for earlier, later in itertools.pairwise(patience)]
    assert min(gaps) > SLOWEST_POLL * (1 + POLL_SPREAD)


@pytest.mark.example
def test_with_room_for_three_the_first_three_enter_at_once() -> None:
    tickets = [ticket(f"t{number}", arrival=float(number), slots=3) for number in range(3)]

    assert position_of(claimant(3), [], tickets[:2]).settle_time == 0.0
    assert position_of(claimant(3), [], tickets).settle_time == 6.0


@pytest.mark.example
def test_a_held_lock_is_waited_for_as_long_as_it_takes() -> None:
    position = position_of(claimant(), [holder(1)], [])

    assert position.settle_time == math.inf
    assert not position.fits_holders


@pytest.mark.example
def test_a_writer_that_waits_for_readers_is_not_overtaken_by_later_readers() -> None:
    position = position_of(claimant(UNLIMITED), [holder(UNLIMITED)], [ticket("writer", slots=1)])

    assert position.settle_time == math.inf
    assert position.fits_holders


@pytest.mark.example
def test_a_reader_enters_beside_readers_though_another_reader_is_ahead() -> None:
    position = position_of(claimant(UNLIMITED), [holder(UNLIMITED)], [ticket("r", slots=UNLIMITED)])

    assert position.settle_time == 0.0


@pytest.mark.property
@given(st.permutations([1, 2, 3, UNLIMITED]), st.integers(0, 3))
def test_the_head_of_the_queue_enters_at_once_if_it_fits(order: list[Slots], held: int) -> None:
    holders = [holder(slots, lease=f"h{n}") for n, slots in enumerate(order[:held])]
    mine = claimant(order[3])

    position = position_of(mine, holders, [])

    assert position.settle_time == (0.0 if fits(holders, mine) else math.inf)


@pytest.mark.example
def test_a_ticket_dies_ninety_seconds_after_its_last_refresh() -> None:
    assert not is_abandoned(ticket("t", seen=1000.0), 1089.9)
    assert is_abandoned(ticket("t", seen=1000.0), 1090.0)


@pytest.mark.example
def test_dead_superseded_and_served_tickets_do_not_count() -> None:
    ended = replace(ENDED, lease="ended")
    record = replace(RECORD, holders=(holder(1, lease="inside"),), history=(ended,))
    superseded = replace(ticket("old"), superseded_by="new")
    tickets = [ticket("dead", seen=900.0), superseded, ticket("inside"), ticket("ended")]

    counted = active([*tickets, ticket("alive")], record, 1000.0)

    assert [t.lease for t in counted] == ["alive"]


@pytest.mark.property
@given(st.lists(SLOTS, min_size=1, max_size=6))
def test_those_who_enter_at_once_fit_all_together(slots: list[Slots]) -> None:
    # Everyone whose patience is 0, entering in any order, must be able to stand together.
    tickets = [ticket(f"t{n}", arrival=float(n), slots=s) for n, s in enumerate(slots)]
    entering = [
        one
        for n, one in enumerate(tickets)
        if position_of(
            replace(claimant(one.slots, arrival=one.arrival), lease=one.lease),
            [],
            tickets[:n],
        ).settle_time
        == 0.0
    ]

    for order in itertools.islice(itertools.permutations(entering), 24):
        assert all(fits(order[:n], one) for n, one in enumerate(order))


@pytest.mark.example
@pytest.mark.parametrize(
    ("ttl", "together"),
    # A beat is a sixth of it, and 0.6 writes a second are shared by all.
    [(1.0, 1), (10.0, 1), (19.9, 1), (20.0, 2), (30.0, 3), (120.0, 12)],
)
def test_only_as_many_hold_together_as_one_object_takes_writes(ttl: float, together: int) -> None:
    one = replace(CLAIMANT, slots=UNLIMITED, ttl=ttl)

    assert fits([one] * (together - 1), one)
    assert not fits([one] * together, one)
