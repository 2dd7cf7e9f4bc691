"""Owners, times, positions and links as people read them."""

from dataclasses import replace

import pytest

from gcs_ci_lock.protocol.record import Owner
from gcs_ci_lock.report.format import about, clock_time, iso_time, link, ordinal, who
from gcs_ci_lock.report.markdown import owner_cell
from tests.support.samples import ALICE, NOW


@pytest.mark.example
@pytest.mark.parametrize(
    ("owner", "text"),
    [
        (ALICE, "acme/api > deploy > prod (alice)"),
        (Owner(platform="local", actor="alice", runner="laptop"), "alice on laptop"),
        (Owner(platform="local"), "unknown user on unknown machine"),
        (Owner(platform="gitlab"), "gitlab"),
        (Owner(), "unknown owner"),
        (Owner(actor="bob"), "unknown owner (bob)"),
    ],
)
def test_an_owner_has_a_name_for_people(owner: Owner, text: str) -> None:
    assert who(owner) == text


@pytest.mark.example
@pytest.mark.parametrize(
    "url",
    [
        "",
        "javascript:alert(1)",
        "https://",
        "https://[",
        "https://x/::error::",
        "https://x/a b",
        "https://x/\n",
        "file:///etc/passwd",
        "https://x/" + "a" * 300,
        "https://x/$(id)",
        "https://x/`id`",
        "https://x/';id;'",
        "https://x/${IFS}&id",
    ],
)
def test_only_a_plain_page_is_linked(url: str) -> None:
    owner = replace(ALICE, url=url)

    assert link(owner) == ""
    assert owner_cell(owner) == "`acme/api > deploy > prod (alice)`"


@pytest.mark.example
@pytest.mark.parametrize(
    ("number", "text"),
    [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (13, "13th"), (22, "22nd")],
)
def test_places_are_counted_as_people_do(number: int, text: str) -> None:
    assert ordinal(number) == text


@pytest.mark.example
def test_times_are_in_utc_and_have_a_date_where_it_matters() -> None:
    assert iso_time(NOW) == "2026-11-23T14:08:15Z"
    assert clock_time(NOW, NOW) == "14:08:15Z"
    assert clock_time(NOW, NOW + 86_400) == "2026-11-23 14:08:15Z"


@pytest.mark.example
@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "10s"),
        (14.9, "10s"),
        (15.0, "20s"),
        (40.0, "40s"),
        (84.9, "80s"),
        (89.9, "90s"),
        (90.0, "2m"),
        (149.9, "2m"),
        (150.0, "3m"),
        (540.0, "9m"),
        (3569.9, "59m"),
        (3570.0, "1h00m"),
        (7800.0, "2h10m"),
        (40 * 86_400.0, "40d"),
    ],
)
def test_an_estimate_is_told_no_finer_than_it_is(seconds: float, text: str) -> None:
    assert about(seconds) == text
