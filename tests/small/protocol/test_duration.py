"""Durations as people write and read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gcs_ci_lock.errors import UsageError
from gcs_ci_lock.protocol.duration import format_duration, parse_duration


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
        (40 * 86_400 - 1, "959h59m"),
        (40 * 86_400, "40d"),
        (45.9 * 86_400, "45d"),
    ],
)
def test_durations_are_spoken_as_people_read_them(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.property
@given(st.floats(-10.0, 40 * 86_400 - 1.0))
def test_what_people_read_may_be_written_again(seconds: float) -> None:
    text = format_duration(seconds)

    again = parse_duration(text, "wait")

    assert format_duration(again) == text
    # Of an hour and more, nobody is told the seconds.
    assert abs(again - max(seconds, 0.0)) <= (0.5 if seconds < 3599 else 60.0)


@pytest.mark.property
@given(st.text(max_size=10))
def test_any_text_is_a_duration_or_refused_on_one_line(text: str) -> None:
    read: float | str
    try:
        read = parse_duration(text, "ttl")
    except UsageError as refusal:
        read = str(refusal)

    assert read.isprintable() if isinstance(read, str) else 0 <= read < float("inf")
