"""What people write, as one request per lock; each wrong word is named."""

import math
from typing import Any

import pytest

from gcs_ci_lock.errors import UsageError
from gcs_ci_lock.locking.request import LockRequest, LockSettings
from gcs_ci_lock.protocol.record import Owner
from gcs_ci_lock.protocol.slots import UNLIMITED

pytestmark = pytest.mark.example

GOOD: dict[str, Any] = {
    "names": ["prod"],
    "bucket": "acme-locks",
    "slots": "1",
    "wait": "30m",
    "ttl": "2m",
    "max_hold": "6h",
}


def request(**changes: str) -> LockRequest:
    return LockSettings(**{**GOOD, **changes}).requests(owner=Owner(actor="alice"))[0]


def unkept(**changes: str) -> LockRequest:
    return LockSettings(**{**GOOD, **changes}).requests(owner=Owner(actor="alice"), renewed=False)[
        0
    ]


def test_the_defaults_make_a_request() -> None:
    found = request()

    assert found.paths.uri == "gs://acme-locks/locks/prod"
    assert (found.slots, found.wait, found.max_hold) == (1, 1800.0, 21_600.0)
    assert found.timing.ttl == 120.0
    assert found.owner == Owner(actor="alice")


def test_without_a_keeper_the_lease_is_valid_for_max_hold() -> None:
    found = unkept(max_hold="10m")

    assert (found.timing.ttl, found.timing.give_up, found.timing.renew_every) == (
        900.0,
        600.0,
        None,
    )


def test_a_shared_lock_is_asked_for_by_unlimited_slots() -> None:
    assert request(slots="unlimited").slots == UNLIMITED


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"bucket": ""}, "no bucket is given"),
        ({"bucket": "  "}, "--bucket or the variable GCS_CI_LOCK_BUCKET"),
        ({"bucket": "A"}, 'bucket "A" is not valid'),
        ({"names": ["../x"]}, 'lock name "../x" is not allowed'),
        ({"slots": "0"}, 'slots "0" is not valid'),
        ({"slots": ""}, 'slots "" is not valid'),
        ({"wait": "soon"}, 'wait "soon" is not a duration'),
        ({"wait": "721h"}, "wait 721h00m is out of range: expected 0s to 720h00m"),
        ({"ttl": "3s"}, "ttl 3s is out of range: expected 30s to 24h00m"),
        ({"ttl": "72h"}, "ttl 72h00m is out of range"),
        ({"ttl": "3 days"}, 'ttl "3 days" is not a duration'),
        ({"max_hold": "0"}, "max-hold 0s is out of range"),
        ({"max_hold": "200h"}, "max-hold 200h00m is out of range"),
        ({"names": []}, 'lock name "" is not allowed'),
        ({"names": ["b", "A"]}, 'lock name "A" is not allowed'),
        ({"queue": "lifo"}, 'queue "lifo" is not valid: expected fifo or newest'),
        ({"priority": "10"}, 'priority "10" is not valid: expected an integer from 0 to 9'),
        ({"priority": "-1"}, 'priority "-1" is not valid'),
        ({"priority": ""}, 'priority "" is not valid'),
        ({"sequence": "v12"}, 'sequence "v12" is not valid: expected an integer from 0'),
        ({"sequence": "1000000000000000001"}, 'sequence "1000000000000000001" is not valid'),
        ({"sequence": "9" * 20}, "is not valid"),
    ],
    ids=str,
)
def test_a_wrong_word_is_named_with_what_was_expected(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError) as refusal:
        request(**changes)

    assert words in str(refusal.value)
    assert "expected" in str(refusal.value)


@pytest.mark.parametrize(("wait", "seconds"), [("0", 0.0), ("720h", 2_592_000.0)])
def test_the_ends_of_the_range_of_wait_are_taken(wait: str, seconds: float) -> None:
    assert request(wait=wait).wait == seconds


def test_several_locks_are_taken_in_one_order_by_everybody_and_once_each() -> None:
    wanted = LockSettings(names=["web/prod", "db", "web/prod", "api"], bucket="acme-locks")

    found = wanted.requests(owner=Owner())

    assert [one.paths.name for one in found] == ["api", "db", "web/prod"]


def test_what_the_queue_is_told_arrives() -> None:
    found = request(queue="newest", priority="9", sequence="1000000000000000000")

    assert (found.newest, found.priority, found.sequence) == (True, 9, 10**18)
    assert (request().newest, request().priority, request().sequence) == (False, 5, None)
    assert request(priority="0", sequence="0").sequence == 0


def test_a_ttl_is_checked_even_where_nobody_renews() -> None:
    with pytest.raises(UsageError, match="ttl 3s"):
        unkept(ttl="3s")


INPUTS: dict[str, Any] = {
    "names": ["prod"],
    "bucket": "acme-locks",
    "slots": "1",
    "wait": "30m",
    "ttl": "2m",
    "max_hold": "6h",
}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"bucket": " "},
            (
                "no bucket is given: expected BUCKET or gs://BUCKET/PREFIX as the action's input "
                "`bucket`, the option --bucket or the variable GCS_CI_LOCK_BUCKET"
            ),
        ),
        ({"max_hold": "x"}, 'max-hold "x" is not a duration: expected one like 90s, 30m or 2h'),
        ({"max_hold": "0.9"}, "max-hold 1s is out of range: expected 1s to 168h00m"),
        ({"wait": "x"}, 'wait "x" is not a duration: expected one like 90s, 30m or 2h'),
        ({"ttl": "x"}, 'ttl "x" is not a duration: expected one like 90s, 30m or 2h'),
    ],
    ids=str,
)
def test_a_wrong_word_is_told_with_its_name(changes: dict[str, str], words: str) -> None:
    with pytest.raises(UsageError) as refusal:
        LockSettings(**INPUTS | changes).requests(owner=Owner())

    assert str(refusal.value) == words


@pytest.mark.parametrize("max_hold", ["1", "168h"])
def test_the_ends_of_the_range_of_max_hold_are_taken(max_hold: str) -> None:
    request = LockSettings(**INPUTS | {"max_hold": max_hold}).requests(owner=Owner())[0]

    assert request.max_hold == (1.0 if max_hold == "1" else 604_800.0)


def test_a_claimant_asks_for_what_the_request_says() -> None:
    found = request(slots="3", ttl="90s", queue="newest", priority="9", sequence="7")

    claimant = found.claimant("k3w1")

    assert (claimant.lease, claimant.owner) == ("k3w1", Owner(actor="alice"))
    assert (claimant.slots, claimant.ttl) == (3, 90.0)
    assert (claimant.newest, claimant.priority, claimant.sequence) == (True, 9, 7)
    # Nothing was looked at, and there is no ticket.
    assert math.isnan(claimant.asked.earliest)
    assert claimant.arrival == claimant.created == claimant.asked.latest == math.inf
