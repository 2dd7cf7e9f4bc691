"""How many jobs may hold a lock together, as people write it."""

import pytest
from hypothesis import given

from gcs_ci_lock.errors import UsageError
from gcs_ci_lock.protocol.json_reader import InvalidJson, JsonReader
from gcs_ci_lock.protocol.slots import UNLIMITED, Slots, format_slots, parse_slots, read_slots
from tests.support.strategies import SLOTS


@pytest.mark.example
@pytest.mark.parametrize(
    ("text", "slots"), [("1", 1), (" 12 ", 12), ("unlimited", UNLIMITED), ("999999999", 999999999)]
)
def test_slots_are_read_as_people_write_them(text: str, slots: Slots) -> None:
    assert parse_slots(text) == slots
    assert parse_slots(str(format_slots(slots))) == slots


@pytest.mark.example
@pytest.mark.parametrize(
    "text", ["", "0", "-1", "1.5", "many", "Unlimited", "1e3", "9999999999", "٣"]
)
def test_what_are_no_slots_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r'^slots ".*expected an integer from 1, or "unlimited"'):
        parse_slots(text)


@pytest.mark.example
def test_slots_are_written_as_an_integer_or_a_word() -> None:
    assert format_slots(UNLIMITED) == "unlimited"
    assert repr(format_slots(3.0)) == "3"


@pytest.mark.property
@given(SLOTS)
def test_slots_survive_being_written(slots: Slots) -> None:
    assert parse_slots(str(format_slots(slots))) == slots


@pytest.mark.property
@given(SLOTS)
def test_slots_are_read_from_json_as_they_are_written(slots: Slots) -> None:
    assert read_slots(JsonReader("it", {"slots": format_slots(slots)})) == slots


@pytest.mark.example
@pytest.mark.parametrize("value", [0, -1, 1.0, True, None, "1", "Unlimited", []], ids=str)
def test_what_are_no_slots_in_json_is_refused(value: object) -> None:
    with pytest.raises(InvalidJson, match=r"it\.slots should be an integer from 1"):
        read_slots(JsonReader("it", {"slots": value}))
