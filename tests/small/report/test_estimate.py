"""How long a wait will probably take: what counts, and where the steps are."""

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gcs_ci_lock.protocol.queue import QueuePosition
from gcs_ci_lock.protocol.record import Freeze, Holder, Outcome, Owner, PastLease, Record, Ticket
from gcs_ci_lock.protocol.slots import UNLIMITED, Slots
from gcs_ci_lock.protocol.wait_status import WaitStatus
from gcs_ci_lock.report.estimate import HOLDS_LOOKED_AT, estimate, typical_hold
from gcs_ci_lock.report.format import about
from tests.support.strategies import SLOTS, records

NOBODY = Owner()


TICKET = Ticket(
    lease="a",
    owner=NOBODY,
    slots=1,
    ttl=120.0,
    arrival=0.0,
    arrival_text="",
    refreshed_at=0.0,
    generation=1,
)


def hold(seconds: float, outcome: Outcome = "released") -> PastLease:
    return PastLease(
        lease="b",
        owner=NOBODY,
        token=1,
        asked_at=0.0,
        granted_at=1000.0,
        ended_at=1000.0 + seconds,
        outcome=outcome,
    )


def holder(slots: Slots) -> Holder:
    return Holder(
        lease="c",
        owner=NOBODY,
        slots=slots,
        token=1,
        asked_at=0.0,
        granted_at=0.0,
        expires_at=0.0,
        ttl=120.0,
        revision=0,
    )


def status(
    holds: Sequence[float] = (60.0,),
    *,
    ahead: int = 0,
    slots: Slots = 1,
    holders: Sequence[Slots] = (1,),
) -> WaitStatus:
    return WaitStatus(
        name="prod",
        uri="gs://b/locks/prod",
        record=Record(
            name="prod",
            fence=1,
            holders=tuple(holder(one) for one in holders),
            history=tuple(hold(seconds) for seconds in holds),
        ),
        position=QueuePosition(ahead=(TICKET,) * ahead, settle_time=1.0, fits_holders=False),
        waiters=ahead + 1,
        earliest=0.0,
        waited=0.0,
        budget=1800.0,
        slots=slots,
    )


@pytest.mark.example
def test_no_more_go_in_together_than_can_be_renewed_on_one_object() -> None:
    crowd = status(ahead=12, slots=UNLIMITED, holders=[UNLIMITED])
    short = replace(crowd, ttl=30.0)

    rounds = [estimate(look) for look in (crowd, short)]

    assert [guess and guess.to_go for guess in rounds] == [2 * 60.0, 5 * 60.0]


@pytest.mark.example
def test_nothing_is_guessed_without_a_hold_that_was_released() -> None:
    look = status(holds=())
    expired = replace(look.record, history=(hold(9.0, "expired"), hold(9.0, "evicted")))

    assert estimate(look) is None
    assert estimate(replace(look, record=expired)) is None


@pytest.mark.example
def test_nothing_is_guessed_before_the_queue_is_known_nor_while_frozen() -> None:
    look = status()
    freeze = Freeze(reason="", author="", since=0.0, until=None)

    assert estimate(replace(look, position=None)) is None
    assert estimate(replace(look, record=replace(look.record, frozen=freeze))) is None


@pytest.mark.example
@pytest.mark.parametrize(
    ("holds", "median"), [([60.0], 60), ([10, 1000, 60], 60), ([10, 20], 15), ([-5.0], 0)]
)
def test_the_median_counts_and_never_less_than_nothing(holds: list[float], median: float) -> None:
    assert typical_hold(status(holds).record) == median


@pytest.mark.example
def test_only_the_last_holds_count() -> None:
    record = status([9000.0, *[60.0] * 4, *[30.0] * 5]).record
    older = status([9000.0, *[60.0] * 5, *[30.0] * 5]).record

    assert len(record.history) == HOLDS_LOOKED_AT
    assert typical_hold(record) == 45
    assert typical_hold(older) == 45
    assert typical_hold(status([*[60.0] * 5, *[30.0] * 6]).record) == 30


@pytest.mark.example
def test_ends_by_expiry_do_not_push_releases_out() -> None:
    history = (hold(60.0), *(hold(1.0, "expired") for _ in range(HOLDS_LOOKED_AT)))

    assert typical_hold(Record(name="prod", fence=1, history=history)) == 60


@pytest.mark.example
@pytest.mark.parametrize(
    ("ahead", "slots", "holders", "rounds"),
    [
        (0, 1, [1], 1),
        (1, 1, [1], 2),
        (2, 3, [3], 1),
        (3, 3, [3], 2),
        (5, 3, [3], 2),
        (6, 3, [3], 3),
        (3, 3, [2, 3], 2),
        (3, 2, [3], 2),
        (9, UNLIMITED, [UNLIMITED], 1),
        (9, UNLIMITED, [], 1),
        (1, UNLIMITED, [1], 2),
        (1, 1, [UNLIMITED], 2),
    ],
)
def test_so_many_rounds_are_to_go(
    ahead: int, slots: Slots, holders: list[Slots], rounds: int
) -> None:
    guess = estimate(status(ahead=ahead, slots=slots, holders=holders))

    assert guess is not None
    assert guess.to_go == rounds * 60
    assert guess.hold == 60


@pytest.mark.property
@given(records(), st.integers(0, 100), SLOTS)
def test_an_estimate_is_a_length_of_time(record: Record, ahead: int, slots: Slots) -> None:
    guess = estimate(replace(status(ahead=ahead, slots=slots), record=record))

    assert guess is None or (0 <= guess.hold <= guess.to_go < math.inf)
    assert guess is None or about(guess.to_go)[-1] in "smhd"
