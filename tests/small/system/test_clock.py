"""The system's clocks and randomness keep what the ports promise."""

import re

import pytest

from gcs_ci_lock.errors import StoreError
from gcs_ci_lock.protocol.server_time import Interval
from gcs_ci_lock.system.clock import ObservedServerClock, SystemClock, SystemRandom, utc_today

pytestmark = pytest.mark.example


def test_the_boot_clock_never_goes_back() -> None:
    clock = SystemClock()

    readings = [clock.boottime() for _ in range(100)]

    assert readings == sorted(readings)


@pytest.mark.parametrize(("seconds", "slept"), [(1.5, 1.5), (0.0, 0.0), (-3.0, 0.0)])
def test_a_negative_sleep_is_none(seconds: float, slept: float) -> None:
    asked: list[float] = []

    # Undone within the test, as what forbids small tests to sleep is undone at its end.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gcs_ci_lock.system.clock.time.sleep", asked.append)
        SystemClock().sleep(seconds)

    assert asked == [slept]


def test_the_servers_time_is_unknown_before_the_first_response() -> None:
    with pytest.raises(StoreError, match="sends no Date header"):
        ObservedServerClock().at(1_000.0)


def test_the_servers_time_follows_its_responses() -> None:
    clock = ObservedServerClock()

    clock.observe(date=5_000.0, sent=100.0, received=100.5)

    known = clock.at(100.5)
    assert isinstance(known, Interval)
    assert known.earliest <= 5_000.5 <= known.latest


def test_lease_ids_are_long_and_differ() -> None:
    ids = [SystemRandom().lease_id() for _ in range(50)]

    assert len(set(ids)) == 50
    assert all(re.fullmatch("[a-z2-7]{26}", one) for one in ids)


def test_fractions_are_below_one() -> None:
    assert all(0.0 <= SystemRandom().fraction() < 1.0 for _ in range(100))


def test_dates_are_shown_in_utc() -> None:
    offset = utc_today().utcoffset()

    assert offset is not None
    assert offset.total_seconds() == 0
