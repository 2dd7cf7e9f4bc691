"""How long leases last; unsafe times cannot be made."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gcs_ci_lock.errors import UsageError
from gcs_ci_lock.protocol.duration import format_duration, parse_duration
from gcs_ci_lock.protocol.timing import Timing, backoff

DAY = 86_400.0


@pytest.mark.example
def test_the_default_is_twenty_eighty_one_hundred_and_twenty() -> None:
    timing = Timing.for_ttl(120.0)

    assert (timing.ttl, timing.give_up, timing.renew_every) == (120.0, 80.0, 20.0)
    assert timing.margin == 20.0
    assert timing.read_timeout == 5.0
    assert timing.write_timeout == 10.0


@pytest.mark.property
@given(st.floats(-1e6, 1e6))
def test_a_ttl_gives_safe_times_or_none(ttl: float) -> None:
    if not 30.0 <= ttl <= DAY:
        with pytest.raises(UsageError, match="expected 30s to 24h"):
            Timing.for_ttl(ttl)
        return

    timing = Timing.for_ttl(ttl)

    assert timing.renew_every is not None
    assert timing.renew_every <= timing.give_up / 3
    assert timing.give_up <= timing.ttl * 2 / 3
    # A request that hangs leaves time for another before the holder gives up.
    assert timing.write_timeout < timing.renew_every


@pytest.mark.example
@pytest.mark.parametrize("ttl", [29.999, 0.0, -1.0, DAY + 1])
def test_a_ttl_out_of_range_is_refused(ttl: float) -> None:
    with pytest.raises(UsageError, match="out of range"):
        Timing.for_ttl(ttl)


@pytest.mark.example
@pytest.mark.parametrize("ttl", [30.0, DAY])
def test_the_ends_of_the_range_are_taken(ttl: float) -> None:
    assert Timing.for_ttl(ttl).ttl == ttl


@pytest.mark.example
@pytest.mark.parametrize(
    ("give_up", "beat"), [(81.0, 20.0), (80.0, 27.0), (0.0, 20.0), (80.0, 0.0)]
)
def test_unsafe_combinations_are_refused(give_up: float, beat: float) -> None:
    with pytest.raises(UsageError):
        Timing(ttl=120.0, give_up=give_up, renew_every=beat)


@pytest.mark.property
@given(st.floats(min_value=1.0, max_value=57_600.0))
def test_a_lease_without_a_keeper_is_valid_for_max_hold(max_hold: float) -> None:
    timing = Timing.without_renewal(max_hold)

    assert timing.renew_every is None
    assert timing.give_up >= max_hold - 1e-6
    assert timing.ttl <= max(1.5 * max_hold, 30.0)


@pytest.mark.example
def test_a_lease_without_a_keeper_cannot_be_longer_than_a_day() -> None:
    with pytest.raises(UsageError, match=r"max-hold 17h00m is too long.*at most 16h00m"):
        Timing.without_renewal(17 * 3600.0)


@pytest.mark.example
@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("90", 90),
        ("90s", 90),
        (" 30m ", 1800),
        ("2h", 7200),
        ("1h30m", 5400),
        ("1h2m3s", 3723),
        ("1.5m", 90),
        ("0s", 0),
    ],
)
def test_durations_are_read_as_people_write_them(text: str, seconds: float) -> None:
    assert parse_duration(text, "wait") == seconds


@pytest.mark.example
@pytest.mark.parametrize(
    "text", ["", "soon", "-5s", "5 m", "1d", "5ms", "m", "1h30", "30m1h", "1e3", "inf", "nan", "٣s"]
)
def test_what_is_no_duration_is_refused_by_the_name_of_its_input(text: str) -> None:
    with pytest.raises(UsageError, match=r'^wait ".*" is not a duration: expected one like 90s'):
        parse_duration(text, "wait")


@pytest.mark.example
@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3, "0s"),
        (0.4, "0s"),
        (59.4, "59s"),
        (59.6, "1m00s"),
        (364, "6m04s"),
        (3599, "59m59s"),
        (3600, "1h00m"),
        (7500, "2h05m"),
    ],
)
def test_durations_are_spoken_as_people_read_them(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.property
@given(st.integers(0, 100), st.floats(0, 1, exclude_max=True))
def test_backing_off_doubles_to_eight_seconds_with_full_jitter(attempt: int, random: float) -> None:
    longest = [1.0, 2.0, 4.0, 8.0][min(attempt, 3)]

    assert backoff(attempt, random) == random * longest
