"""Strict reading of JSON: what is missing, wrong or left over is refused by its place."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gcs_ci_lock.protocol.json_reader import (
    MAX_INTEGER,
    MAX_RECORD_BYTES,
    MAX_TIME,
    InvalidJson,
    JsonReader,
    parse_json,
    refuse,
)

DOCUMENTS = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


def reader(**fields: object) -> JsonReader:
    return JsonReader("it", fields)


@pytest.mark.property
@given(DOCUMENTS)
def test_a_document_is_read_as_it_was_written(document: object) -> None:
    assert parse_json(json.dumps(document).encode()) == document


@pytest.mark.property
@given(st.binary(max_size=60))
def test_any_bytes_are_json_or_refused_on_one_short_line(body: bytes) -> None:
    problem = ""
    try:
        parse_json(body)
    except InvalidJson as refusal:
        problem = str(refusal)

    assert problem.isprintable()
    assert len(problem) < 150


@pytest.mark.example
@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (None, f"larger than {MAX_RECORD_BYTES} bytes"),
        (b" " * (MAX_RECORD_BYTES + 1), f"larger than {MAX_RECORD_BYTES} bytes"),
        (b"", "it is not JSON"),
        (b"\xff", "it is not JSON"),
        (b"[" * 100_000, "it is not JSON"),
        (b"[NaN]", "NaN is not JSON"),
        (b"[-Infinity]", "-Infinity is not JSON"),
        (b'{"a": {"b": 1, "b": 1}}', "a key stands twice in one object"),
    ],
    ids=["unread", "large", "empty", "not UTF-8", "deep", "NaN", "infinite", "twice"],
)
def test_what_is_no_json_is_refused(body: bytes | None, problem: str) -> None:
    with pytest.raises(InvalidJson, match=problem):
        parse_json(body)


@pytest.mark.example
def test_a_document_of_exactly_the_greatest_size_is_read() -> None:
    assert parse_json(b"7".ljust(MAX_RECORD_BYTES)) == 7


@pytest.mark.example
@pytest.mark.parametrize("value", [None, 7, "text", [], True], ids=str)
def test_only_an_object_has_fields(value: object) -> None:
    with pytest.raises(InvalidJson, match="it should be an object, found"):
        JsonReader("it", value)


@pytest.mark.example
def test_a_field_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(InvalidJson) as refusal:
        reader(b=1, a=2).take("c")

    assert str(refusal.value) == "it should be an object with \"c\", found ['a', 'b']"


@pytest.mark.example
def test_fields_that_nobody_reads_are_refused() -> None:
    fields = reader(known=1, more=2)

    fields.integer("known")

    with pytest.raises(InvalidJson, match=r"without other fields, found \['more'\]"):
        fields.finish()
    fields.take("more")
    fields.finish()


@pytest.mark.example
@pytest.mark.parametrize("value", [None, 7, True, ["x"]], ids=str)
def test_a_text_is_a_text(value: object) -> None:
    assert reader(x="").text("x") == ""
    with pytest.raises(InvalidJson, match=r"it\.x should be a text"):
        reader(x=value).text("x")


@pytest.mark.example
@pytest.mark.parametrize("value", [-1, 4, 2.0, True, "2", None, MAX_INTEGER + 1], ids=str)
def test_an_integer_is_one_within_its_range(value: object) -> None:
    assert [reader(x=n).integer("x", most=3) for n in (0, 3)] == [0, 3]
    with pytest.raises(InvalidJson, match=r"it\.x should be an integer from 0 to 3"):
        reader(x=value).integer("x", most=3)


@pytest.mark.example
def test_an_integer_reaches_from_zero_to_what_64_bits_hold_unless_it_is_told() -> None:
    assert reader(x=MAX_INTEGER).integer("x") == 2**63 - 1
    with pytest.raises(InvalidJson, match="from 0 to 9223372036854775807"):
        reader(x=MAX_INTEGER + 1).integer("x")
    with pytest.raises(InvalidJson, match="from 5 to"):
        reader(x=4).integer("x", least=5)


@pytest.mark.example
@pytest.mark.parametrize("value", [-0.1, MAX_TIME * 1.1, True, "1", None, float("nan")], ids=str)
def test_a_number_is_one_from_zero_to_the_last_time(value: object) -> None:
    read = reader(x=MAX_TIME, y=0).number
    assert (read("x"), repr(read("y"))) == (MAX_TIME, "0.0")
    with pytest.raises(InvalidJson, match=r"it\.x should be a number from 0 to 1e\+11"):
        reader(x=value).number("x")


@pytest.mark.example
def test_the_objects_of_a_list_are_named_by_their_places() -> None:
    items = reader(holders=[{}, {"a": 1}]).items("holders")

    assert [item.where for item in items] == ["holders[0]", "holders[1]"]
    assert items[1].integer("a") == 1
    with pytest.raises(InvalidJson, match=r"holders\[1\] should be an object"):
        reader(holders=[{}, 7]).items("holders")
    with pytest.raises(InvalidJson, match=r"it\.holders should be a list"):
        reader(holders={}).items("holders")


@pytest.mark.property
@given(*[st.text() | st.sampled_from(["::error::x", "##[x", "\r\n\x1b[31m"])] * 2, st.text())
def test_a_refusal_is_one_line_in_which_no_log_reader_finds_a_command(
    where: str,
    expected: str,
    found: Any,  # noqa: ANN401 - JSON may be anything
) -> None:
    with pytest.raises(InvalidJson) as refusal:
        refuse(where * 50, expected, found * 50)

    message = str(refusal.value)
    assert message.isprintable()
    assert message.isascii()
    assert len(message) < 200 + 200 + 60 + 30
    assert "##[" not in message
