"""The title of a wait: who holds the lock, and how long it may take."""

from dataclasses import replace

import pytest
from hypothesis import given

from gcs_ci_lock.protocol.queue import QueuePosition
from gcs_ci_lock.protocol.record import Freeze, Owner
from gcs_ci_lock.protocol.text import MAX_FOREIGN
from gcs_ci_lock.report.messages import wait_title
from tests.support.samples import HOLDER, NOW, RECORD, SITUATION, TICKET, held_by
from tests.support.strategies import HOSTILE, owners


@pytest.mark.example
def test_a_title_says_who_holds_and_how_long_it_may_take() -> None:
    assert wait_title(SITUATION) == (
        'Waiting for lock "prod": held by acme/api > deploy > prod (alice), 2nd of 3, '
        "about 9m to go, waited 1m00s of 30m00s"
    )


@pytest.mark.example
@pytest.mark.parametrize(
    ("holders", "told"),
    [
        (0, "free, but not yet yours"),
        (1, "held by acme/api > deploy > prod (alice), 2nd"),
        (2, "held by acme/api > deploy > prod (alice) and 1 more, 2nd"),
        (3, "held by acme/api > deploy > prod (alice) and 2 more, 2nd"),
    ],
)
def test_a_title_names_the_first_holder_and_counts_the_others(holders: int, told: str) -> None:
    status = replace(SITUATION, record=replace(RECORD, holders=(HOLDER,) * holders))

    assert f": {told}" in wait_title(status)


@pytest.mark.example
@pytest.mark.parametrize(("until", "told"), [(NOW + 60, "14:09:15Z"), (None, "unfrozen")])
def test_a_title_of_a_frozen_lock_says_by_whom_and_until_when(
    until: float | None, told: str
) -> None:
    freeze = Freeze(reason="release week", author="carol", since=NOW - 9, until=until)
    status = replace(SITUATION, record=replace(RECORD, frozen=freeze), position=None)

    assert wait_title(status) == (
        f'Waiting for lock "prod": frozen by carol until {told}, waited 1m00s of 30m00s'
    )


@pytest.mark.property
@given(owners(HOSTILE), HOSTILE)
def test_a_title_is_told_whole_whatever_is_in_it(owner: Owner, text: str) -> None:
    crowd = QueuePosition(ahead=(TICKET,) * 998, settle_time=1.0, fits_holders=False)
    worst = replace(held_by(owner, frozen_by=text), name="n" * 500, position=crowd, waiters=999)
    held = replace(worst, record=replace(worst.record, frozen=None))

    for title in (wait_title(worst), wait_title(held)):
        assert len(title) <= MAX_FOREIGN
        assert title.startswith("Waiting for lock")
        assert title.endswith("waited 1m00s of 30m00s")
