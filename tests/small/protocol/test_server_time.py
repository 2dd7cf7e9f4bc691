"""The server's time as an interval that always holds the true one."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gcs_ci_lock.protocol.server_time import MAX_RATE_RATIO, Interval, Sample, ServerTime


def answer(*, server: float, sent: float, took: float, delay: float = 0.0) -> Sample:
    """Return the sample of an answer dated while the server's clock, `server` at boot 0, ran."""
    date = math.floor(server + sent + delay)
    return Sample(date=float(date), sent=sent, received=sent + took)


@pytest.mark.property
@given(
    offset=st.floats(1e9, 2e9),
    answers=st.lists(
        st.tuples(st.floats(0, 30), st.floats(0, 5), st.floats(0, 1)), min_size=1, max_size=8
    ),
    later=st.floats(0, 100),
)
def test_the_true_time_is_always_inside(
    offset: float, answers: list[tuple[float, float, float]], later: float
) -> None:
    known, boot = ServerTime(), 0.0
    for pause, took, when in answers:
        boot += pause
        known = known.observing(answer(server=offset, sent=boot, took=took, delay=took * when))
        boot += took

    now = known.at(boot + later)

    assert now is not None
    true = offset + boot + later
    # A float near 2e9 has a resolution of a quarter of a microsecond.
    assert now.earliest - 1e-5 <= true <= now.latest + 1e-5


@pytest.mark.property
@given(stale=st.floats(2, 1000), took=st.floats(0, 1))
def test_a_stale_date_makes_it_wider_and_never_wrong(stale: float, took: float) -> None:
    true = 1_795_422_000.5
    honest = answer(server=true, sent=0.0, took=took)
    wrong = Sample(date=honest.date - math.floor(stale), sent=took, received=2 * took)
    known = ServerTime().observing(honest)
    before = known.at(3 * took)
    now = known.observing(wrong).at(3 * took)

    assert before is not None
    assert now is not None
    assert now.earliest <= true + 3 * took <= now.latest + 1e-5
    assert now.latest - now.earliest >= before.latest - before.earliest - 1e-5


@pytest.mark.example
def test_many_answers_tell_more_than_one() -> None:
    # Dates have whole seconds; two answers around the turn of a second fix it.
    one = ServerTime().observing(Sample(date=100.0, sent=0.9, received=0.9))
    two = one.observing(Sample(date=101.0, sent=1.0, received=1.0))
    first, both = one.at(1.0), two.at(1.0)

    assert first is not None
    assert both is not None
    assert first.latest - first.earliest == pytest.approx(1.025)
    assert both.latest - both.earliest == pytest.approx(0.125)


@pytest.mark.example
def test_nothing_is_known_before_the_first_answer() -> None:
    assert ServerTime().at(5.0) is None


@pytest.mark.example
def test_an_answer_counts_for_a_minute_and_the_newest_for_ever() -> None:
    known = ServerTime()
    known = known.observing(Sample(date=100.0, sent=0.0, received=0.0))
    # Contradicts the first: while both count, the interval holds both.
    known = known.observing(Sample(date=150.0, sent=30.0, received=30.0))

    both, one = known.at(60.0), known.at(60.1)
    much_later = known.at(1e6)

    assert both is not None
    assert both.earliest == 160.0
    assert one is not None
    assert one.earliest == pytest.approx(180.1)
    assert much_later is not None
    assert much_later.earliest == 150.0 + 1e6 - 30.0
    # A clock that is a fifth too slow for so long is behind by a quarter of it.
    assert much_later.latest == 151.0 + (1e6 - 30.0) * 1.25


@pytest.mark.property
@given(st.lists(st.floats(0, 200), min_size=1, max_size=50))
def test_what_is_remembered_stays_small(pauses: list[float]) -> None:
    known, boot = ServerTime(), 0.0
    for pause in pauses:
        boot += pause
        known = known.observing(answer(server=1e9, sent=boot, took=0.0))

    assert all(boot - sample.received <= 60.0 for sample in known.samples)
    assume(known.samples)
    assert known.samples[-1].received == boot


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


def sample(date: float, at: float) -> Sample:
    return Sample(date=date, sent=at, received=at)


@pytest.mark.example
def test_an_answer_counts_for_a_minute_and_no_longer() -> None:
    known = ServerTime().observing(sample(1_000.0, 5_000.0))

    assert len(known.observing(sample(1_060.0, 5_060.0)).samples) == 2
    assert len(known.observing(sample(1_060.5, 5_060.5)).samples) == 1


@pytest.mark.example
def test_an_old_answer_counts_only_while_there_is_no_newer_one() -> None:
    # Both are true of a server whose second 1 001 began at 5 001.25 to 5 001.5 of our clock.
    both = ServerTime().observing(sample(1_000.0, 5_001.25)).observing(sample(1_001.0, 5_001.5))

    assert both.at(5_061.25) == Interval(earliest=1_060.75, latest=1_076.0)
    assert both.at(5_061.5) == Interval(earliest=1_061.0, latest=1_077.0)


@pytest.mark.example
def test_answers_that_agree_on_one_moment_alone_agree() -> None:
    known = ServerTime().observing(sample(1_000.0, 100.0)).observing(sample(1_002.25, 101.0))

    assert known.at(101.0) == Interval(earliest=1_002.25, latest=1_002.25)
