"""Clocks whose rates are 1.25 apart, and dates that are 20 s wrong, at once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gcs_ci_lock.locking.client import LockClient
from gcs_ci_lock.locking.lease import LeaseState
from gcs_ci_lock.protocol.queue import Claimant
from gcs_ci_lock.protocol.record import Owner
from gcs_ci_lock.protocol.server_time import MAX_RATE_RATIO, Sample, ServerTime
from gcs_ci_lock.protocol.timing import Timing
from gcs_ci_lock.storage.memory import MemoryStore
from gcs_ci_lock.system.clock import ObservedServerClock
from tests.support.fakes import PATHS, FakeClock, World


class SlowClock:
    """A boot clock that goes slower than the server's by the greatest ratio allowed."""

    def __init__(self, true: FakeClock) -> None:
        self._true = true

    def boottime(self) -> float:
        return self._true.boottime() / MAX_RATE_RATIO

    def sleep(self, seconds: float) -> None:
        self._true.sleep(seconds * MAX_RATE_RATIO)


class StaleDates(ObservedServerClock):
    """Knows the server's time from dates that are a sixth of the ttl behind."""

    def observe(self, *, date: float, sent: float, received: float) -> None:
        super().observe(date=date - 20.0, sent=sent, received=received)


@pytest.mark.fault
def test_a_holder_with_a_slow_clock_and_stale_dates_stops_before_a_rival_enters() -> None:
    world = World()
    clock, dates = SlowClock(world.clock), StaleDates()
    store = MemoryStore(world.bucket, clock=clock, server_clock=dates)
    timing = Timing.for_ttl(120.0)
    lock = LockClient(PATHS, store=store, clock=clock, server_clock=dates, timing=timing)
    lock.read()
    claimed = lock.claim(
        Claimant(lease="holder", owner=Owner(), slots=1, ttl=timing.ttl, asked=lock.now())
    )
    clock.sleep(20.0)
    # Nothing was heard since the claim: what is stamped now has drifted for a whole beat.
    renewed = lock.renew(claimed)
    assert isinstance(renewed, LeaseState)

    world.client("rival").hold(wait=300.0)

    assert not renewed.believes_held(clock.boottime(), dates.at(clock.boottime()).latest)


@pytest.mark.property
@given(rate=st.floats(1 / MAX_RATE_RATIO, 1.0), age=st.floats(0.0, 1e5), took=st.floats(0.0, 5.0))
def test_latest_holds_whatever_the_age_of_the_newest_answer(
    rate: float, age: float, took: float
) -> None:
    # The answer was dated as early as it can have been: when the request was sent, at 1000.0.
    known = ServerTime().observing(Sample(date=1_000.0, sent=0.0, received=took * rate))

    now = known.at((took + age) * rate)

    assert now is not None
    assert now.latest >= 1_000.0 + took + age
