"""The state of a lock as `status` prints it, as text and as JSON."""

from dataclasses import replace

import pytest

from gcs_ci_lock.protocol.record import Freeze, Record
from gcs_ci_lock.report.status import status_json, status_lines
from tests.support.samples import LOCK_STATUS, NOW, RECORD


@pytest.mark.example
@pytest.mark.parametrize(
    ("until", "told"), [(NOW + 60, "until 14:09:15Z"), (None, "until unfrozen")]
)
def test_the_state_of_a_frozen_lock_says_who_froze_it_and_how_long(
    until: float | None, told: str
) -> None:
    freeze = Freeze(reason="release week", author="carol", since=NOW - 90_000, until=until)

    lines = status_lines(replace(LOCK_STATUS, record=replace(RECORD, frozen=freeze)))

    since = "since 2026-11-22 13:08:15Z"
    assert lines[1] == f'  frozen    by carol {since}, {told}, reason: "release week"'


@pytest.mark.example
def test_the_state_of_a_lock_is_told_on_a_screen() -> None:
    assert status_lines(LOCK_STATUS) == [
        'Lock "prod" (gs://acme-locks/locks/prod) is held',
        (
            "  held by   acme/api > deploy > prod (alice)  "
            "https://github.com/acme/api/actions/runs/8123, since 14:02:11Z (6m04s), "
            'expires at 14:10:06Z if not renewed, token 41, slots 1, reason: "release 4.2"'
        ),
        (
            "  waiting   1st: acme/api > deploy > prod (bob)  "
            "https://github.com/acme/api/actions/runs/8123, for 1m10s, slots unlimited"
        ),
        (
            "  past      acme/api > deploy > prod (alice): released at 13:41:05Z after 4m30s, "
            'token 40 ("by hand")'
        ),
    ]


@pytest.mark.example
def test_the_state_of_a_lock_is_data_too() -> None:
    document = status_json(LOCK_STATUS)

    assert document["state"] == "held"
    assert document["holders"][0]["token"] == 41
    assert document["holders"][0]["held_s"] == 364
    assert document["waiters"][0]["place"] == 1
    assert document["waiters"][0]["slots"] == "unlimited"
    assert document["history"][0]["outcome"] == "released"


@pytest.mark.example
def test_a_free_lock_is_free() -> None:
    free = replace(LOCK_STATUS, record=Record(name="prod", fence=1), waiters=())

    assert status_lines(free) == ['Lock "prod" (gs://acme-locks/locks/prod) is free']
    assert status_json(free)["state"] == "free"
