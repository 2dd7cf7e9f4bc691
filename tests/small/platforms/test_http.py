"""Which texts of a record may become part of an address."""

import pytest
from hypothesis import given

from gcs_ci_lock.platforms.http import is_below, is_number, is_path
from gcs_ci_lock.protocol.text import MAX_FOREIGN
from tests.support.api_answers import NASTY

pytestmark = pytest.mark.example


@pytest.mark.property
@given(NASTY)
def test_only_plain_names_are_a_path_and_only_digits_a_number(text: str) -> None:
    assert is_path(text, least=2, most=22) == (text in {"acme/api", "acme/infra/api", "acme/.git"})
    assert is_number(text) == (text in {"8123", "991", "2"})


@pytest.mark.parametrize(("text", "expected"), [("a", False), ("a/b", True), ("a/b/c/d", False)])
def test_a_path_has_as_many_segments_as_it_may(text: str, *, expected: bool) -> None:
    assert is_path(text, least=2, most=3) is expected


@pytest.mark.parametrize(("more", "expected"), [(0, True), (1, False)])
def test_a_path_is_no_longer_than_a_record_may_say(more: int, *, expected: bool) -> None:
    assert is_path("a/" + "x" * (MAX_FOREIGN - 2 + more), least=2, most=2) is expected


@pytest.mark.parametrize(
    ("text", "expected"), [("1" + "0" * 19, True), ("1" + "0" * 20, False), ("0", False)]
)
def test_a_number_has_twenty_digits_at_most(text: str, *, expected: bool) -> None:
    assert is_number(text) is expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://ci.acme.test/runs/1", True),
        ("https://ci.acme.test/runs/1/attempts/2", True),
        ("https://ci.acme.test/runs/12", False),
        ("https://ci.acme.test/runs", False),
        ("https://ci.acme.test/runs/1?x", False),
        ("", False),
    ],
)
def test_an_address_is_below_another_by_whole_segments(url: str, *, expected: bool) -> None:
    assert is_below(url, "https://ci.acme.test/runs/1") is expected
