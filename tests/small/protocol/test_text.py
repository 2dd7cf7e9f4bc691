"""Foreign text, made safe to print."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gcs_ci_lock.protocol.text import printable, printable_json, truncated

HOSTILE = st.lists(
    st.one_of(
        st.sampled_from([":", "::", "##[", "#", "[", "\n", "\r", "\x1b[31m", "é"]), st.text()
    ),
    max_size=20,
).map("".join)


@pytest.mark.property
@given(HOSTILE, st.integers(0, 250))
def test_it_is_one_short_line_without_a_command(text: str, limit: int) -> None:
    shown = printable(text, limit)

    assert len(shown) <= max(limit, 3)
    assert all(" " <= c <= "~" for c in shown)
    assert "::" not in shown
    assert "##[" not in shown


@pytest.mark.property
@given(st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters=":#[")))
def test_plain_text_stays_as_it_is(text: str) -> None:
    assert printable(text, limit=1000) == text[:1000]


@pytest.mark.example
@pytest.mark.parametrize(("length", "shown"), [(200, "x" * 200), (201, "x" * 197 + "...")])
def test_what_is_too_long_ends_in_dots(length: int, shown: str) -> None:
    assert printable("x" * length) == shown


@pytest.mark.example
def test_addresses_stay_readable() -> None:
    assert printable("https://github.com/acme/api") == "https://github.com/acme/api"


@pytest.mark.example
@pytest.mark.parametrize("text", ["::", ":::", "::::", "a:::b::c", "####[["])
def test_no_colons_are_left_behind(text: str) -> None:
    assert "::" not in printable(text)
    assert "##[" not in printable(text)


@pytest.mark.example
def test_what_is_stored_is_cut_and_else_untouched() -> None:
    assert truncated("é\n" * 150) == "é\n" * 100


COMMANDS = st.lists(
    st.one_of(
        st.sampled_from([":", "::", "##[", "#", "\\", "\n", "é"]),
        st.text('ab"\x00\ud800', max_size=3),
    ),
    max_size=6,
).map("".join)


@pytest.mark.property
@given(st.dictionaries(COMMANDS, COMMANDS, max_size=2))
@settings(max_examples=50)
def test_a_document_on_one_line_holds_no_command_and_loses_nothing(
    document: dict[str, str],
) -> None:
    line = printable_json(document)

    assert json.loads(line) == document
    assert line.isascii()
    assert "\n" not in line
    assert "::" not in line
    assert "##[" not in line


@pytest.mark.example
def test_commands_in_a_document_become_escapes() -> None:
    assert printable_json(["a::b##[c"]) == '["a:\\u003ab##\\u005bc"]'
