"""How long leases last; unsafe times cannot be made."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gcs_ci_lock.errors import UsageError
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


@pytest.mark.property
@given(st.integers(0, 100), st.floats(0, 1, exclude_max=True))
def test_backing_off_doubles_to_eight_seconds_with_full_jitter(attempt: int, random: float) -> None:
    longest = [1.0, 2.0, 4.0, 8.0][min(attempt, 3)]

    assert backoff(attempt, random) == random * longest


@pytest.mark.example
@pytest.mark.parametrize(
    ("give_up", "beat", "message"),
    [
        (80.1, None, "give-up 80.1 s must be at most two thirds of ttl 120.0 s"),
        (0.0, None, "give-up 0.0 s must be at most two thirds of ttl 120.0 s"),
        (60.0, 20.1, "renewal interval 20.1 s must be at most a third of give-up 60.0 s"),
        (60.0, 0.0, "renewal interval 0.0 s must be at most a third of give-up 60.0 s"),
    ],
)
def test_an_unsafe_time_is_told_of(give_up: float, beat: float | None, message: str) -> None:
    with pytest.raises(UsageError) as refusal:
        Timing(ttl=120.0, give_up=give_up, renew_every=beat)

    assert str(refusal.value) == message


@pytest.mark.example
@pytest.mark.parametrize(
    ("give_up", "beat"), [(80.0, 80.0 / 3), (60.0, 20.0), (0.5, 0.1), (0.9, None)]
)
def test_the_safe_times_reach_to_their_bounds(give_up: float, beat: float | None) -> None:
    timing = Timing(ttl=120.0, give_up=give_up, renew_every=beat)

    assert (timing.give_up, timing.renew_every) == (give_up, beat)


@pytest.mark.example
def test_the_longest_lease_without_beats_is_sixteen_hours() -> None:
    assert Timing.without_renewal(57_600.0).ttl == 86_400.0
    with pytest.raises(UsageError, match="max-hold 16h00m is too long"):
        Timing.without_renewal(57_600.1)


@pytest.mark.example
@pytest.mark.parametrize(
    ("attempt", "longest"), [(0, 1.0), (1, 2.0), (2, 4.0), (3, 8.0), (4, 8.0), (2_000, 8.0)]
)
def test_pauses_double_up_to_eight_seconds(attempt: int, longest: float) -> None:
    assert backoff(attempt, 1.0) == longest
    assert backoff(attempt, 0.25) == longest / 4
