"""A wait as a log shows it: at once, on every change, and otherwise once a minute."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gcs_ci_lock.protocol.queue import QueuePosition
from gcs_ci_lock.protocol.wait_status import WaitStatus
from gcs_ci_lock.report.wait_log import WaitLog, print_lines
from tests.support.fakes import FakeClock
from tests.support.samples import HOLDER, NOW, RECORD, WAIT_STATUS


class Listener:
    """Hears what a wait says."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.lines: list[str] = []
        say: Callable[[str], None] = self.lines.append
        self.progress = WaitLog(print_lines(say), clock=self.clock, on_claim=say)

    def heard(self, status: WaitStatus) -> int:
        before = len(self.lines)
        self.progress.on_wait(status)
        return len(self.lines) - before


@pytest.mark.example
def test_a_wait_is_told_at_once_on_every_change_and_else_once_a_minute() -> None:
    listener = Listener()
    beaten = replace(RECORD, holders=(replace(HOLDER, revision=19, expires_at=NOW + 120),))
    moved = replace(
        WAIT_STATUS, position=QueuePosition(ahead=(), settle_time=1.0, fits_holders=False)
    )

    told = [listener.heard(WAIT_STATUS)]
    listener.clock.sleep(59.0)
    told.append(listener.heard(replace(WAIT_STATUS, record=beaten, waited=119.0)))
    told.append(listener.heard(moved))
    listener.clock.sleep(60.0)
    told.append(listener.heard(moved))

    assert told == [5, 0, 5, 5]


@pytest.mark.example
def test_one_try_is_told_by_its_refusal_only() -> None:
    listener = Listener()

    assert listener.heard(replace(WAIT_STATUS, budget=0.0)) == 0


@pytest.mark.property
@given(st.lists(st.floats(0, 100), max_size=20))
def test_a_wait_without_news_says_at_most_one_screen_a_minute(pauses: list[float]) -> None:
    listener = Listener()
    for pause in pauses:
        listener.heard(WAIT_STATUS)
        listener.clock.sleep(pause)

    assert len(listener.lines) <= 5 * (1 + sum(pauses) / 60)
