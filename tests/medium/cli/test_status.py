"""`status` as it is typed."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from gcs_ci_lock.protocol.record import Freeze, Holder, Owner, PastLease, Record
from gcs_ci_lock.protocol.record_json import encode_record
from gcs_ci_lock.system.clock import utc_today
from tests.support.bucket import TestBucket
from tests.support.runner import log_commands
from tests.support.shell import Site, until

pytestmark = pytest.mark.end_to_end

EVIL = "x\r\n::error::y ##[error]z \x1b[31m\x07 | `a` [b](javascript:c) <img src=d> \u202e"


@pytest.fixture
def site(bucket: TestBucket, tmp_path: Path) -> Iterator[Site]:
    with Site(bucket, tmp_path) as site:
        yield site


def github(actor: str) -> dict[str, str]:
    return {
        "GITHUB_ACTIONS": "true",
        "GITHUB_REPOSITORY": "acme/api",
        "GITHUB_WORKFLOW": "deploy",
        "GITHUB_SERVER_URL": "https://github.com",
        "GITHUB_RUN_ID": "8123",
        "GITHUB_ACTOR": actor,
    }


def test_a_lock_that_nobody_ever_held_is_free(site: Site) -> None:
    text = site.run("status", "prod", *site.at)
    (data,) = site.run("status", "prod", *site.at, "--json").document["locks"]

    assert text.exit_code == 0, text
    assert text.out == f'Lock "prod" ({site.bucket.uri}/prod) is free\n'
    assert (data["name"], data["state"]) == ("prod", "free")
    assert (data["holders"], data["waiters"], data["history"]) == ([], [], [])
    assert site.bucket.body("prod") is None


def test_a_lock_that_was_released_is_free_and_tells_who_was_before(site: Site) -> None:
    site.run("run", "prod", *site.at, "--", "true", environ=github("alice"))

    text = site.run("status", "prod", *site.at)
    (data,) = site.run("status", "prod", *site.at, "--json").document["locks"]

    assert "is free\n  past      acme/api > deploy (alice): released at " in text.out
    assert data["state"] == "free"
    assert [(e["owner"]["actor"], e["outcome"]) for e in data["history"]] == [("alice", "released")]


def test_a_held_lock_tells_who_holds_it_since_when_and_until_when(site: Site) -> None:
    site.hold("prod", "--reason", "release 4.2", environ=github("alice"))

    text = site.run("status", "prod", *site.at)
    (data,) = site.run("status", "prod", *site.at, "--json").document["locks"]

    (stored,) = site.holders("prod")
    (holder,) = data["holders"]
    _, line = text.out.splitlines()
    assert line.startswith("  held by   acme/api > deploy (alice)  https://github.com/acme/api/")
    assert f"token {stored['token']}, slots 1" in line
    assert 'reason: "release 4.2"' in line
    assert data["state"] == "held"
    assert data["uri"] == f"{site.bucket.uri}/prod"
    for key in ("lease", "token", "owner", "slots", "asked_at", "granted_at", "expires_at"):
        assert holder[key] == stored[key]


def test_waiters_are_listed_first_in_line_first(site: Site) -> None:
    site.hold("prod", environ=github("alice"))
    for actor in ("zoe", "bob"):
        waiting = site.start("run", "prod", *site.at, "--", "true", environ=github(actor))
        until(lambda: "you are" in waiting.err)  # noqa: B023 - looked at within this turn

    text = site.run("status", "prod", *site.at)
    (data,) = site.run("status", "prod", *site.at, "--json").document["locks"]

    first, second = (line for line in text.out.splitlines() if line.startswith("  waiting"))
    assert "1st: acme/api > deploy (zoe)" in first
    assert "2nd: acme/api > deploy (bob)" in second
    assert [(w["place"], w["owner"]["actor"]) for w in data["waiters"]] == [(1, "zoe"), (2, "bob")]
    assert len(data["holders"]) == 1


def test_without_names_all_locks_are_listed(site: Site) -> None:
    for name in ("prod", "acme/api/staging"):
        site.run("run", name, *site.at, "--", "true")

    text = site.run("status", *site.at)
    data = site.run("status", *site.at, "--json").document
    some = site.run("status", "prod", "never", *site.at, "--json").document

    assert f'Lock "acme/api/staging" ({site.bucket.uri}/acme/api/staging) is free' in text.out
    assert [lock["name"] for lock in data["locks"]] == ["acme/api/staging", "prod"]
    assert [lock["name"] for lock in some["locks"]] == ["prod", "never"]


def test_a_bucket_without_locks_says_so(site: Site) -> None:
    text = site.run("status", *site.at)
    data = site.run("status", *site.at, "--json")

    assert (text.exit_code, text.out) == (0, f"There is no lock in {site.bucket.uri}\n")
    assert data.document == {"locks": []}


def hostile(name: str) -> bytes:
    """Return a record in which every text that a stranger may choose is hostile."""
    now = utc_today().timestamp()
    owners = [
        Owner(platform=platform, repository=EVIL, workflow=EVIL, job=EVIL, actor=EVIL)
        for platform in ("github", "local", EVIL)
    ]
    links = [Owner(platform="github", url=url, reason=EVIL) for url in (EVIL, f"https://x/{EVIL}")]
    local = [Owner(platform="local", actor=EVIL, runner=EVIL, reason=EVIL)]
    holders = [
        Holder(
            lease=f"h-{number}",
            owner=owner,
            slots=20,
            token=number,
            asked_at=now,
            granted_at=now,
            expires_at=now + 3600,
            ttl=3600,
            revision=1,
        )
        for number, owner in enumerate([*owners, *links, *local], start=1)
    ]
    ended = PastLease(
        lease="e-1",
        owner=owners[0],
        token=1,
        asked_at=now,
        granted_at=now,
        ended_at=now,
        outcome="evicted",
        note=EVIL,
    )
    frozen = Freeze(reason=EVIL, author=EVIL, since=now, until=None)
    record = Record(
        name=name, fence=99, holders=tuple(holders), frozen=frozen, history=(ended,) * 3
    )
    return encode_record(record)


def hostile_ticket(site: Site, name: str) -> None:
    metadata = {
        "schema": "1",
        "slots": "1",
        "ttl": "120",
        "priority": "5",
        "owner": json.dumps({"platform": EVIL, "repository": EVIL, "actor": EVIL, "url": EVIL}),
    }
    path = f"{site.bucket.prefix}/{name}/queue/evil"
    site.store.write(path, b"", generation=0, metadata=metadata, timeout=10)


def assert_harmless(text: str) -> None:
    assert log_commands(text) == []
    assert "::" not in text
    assert "##[" not in text
    assert all(" " <= character <= "~" or character == "\n" for character in text)


def test_text_of_a_stranger_is_never_shown_raw(site: Site) -> None:
    site.bucket.write("prod", hostile("prod"))
    hostile_ticket(site, "prod")

    shown = site.run("status", "prod", *site.at)
    refused = site.run("run", "prod", *site.at, "--wait", "0", "--", "true")

    assert shown.exit_code == 0, shown
    # The lock, its freeze, six holders, a waiter, three ends.
    assert len(shown.out.splitlines()) == 12
    assert "??:.error:.y ##(error]z ?[31m" in shown.out
    assert_harmless(shown.out)
    assert refused.exit_code == 75, refused
    assert_harmless(refused.err)


def test_text_of_a_stranger_in_data_is_whole_and_still_no_command(site: Site) -> None:
    site.bucket.write("prod", hostile("prod"))
    hostile_ticket(site, "prod")

    shown = site.run("status", "prod", *site.at, "--json")

    (lock,) = shown.document["locks"]
    assert lock["holders"][0]["owner"]["actor"] == EVIL
    assert [w["owner"]["actor"] for w in lock["waiters"]] == [EVIL]
    assert_harmless(shown.out)


def test_a_damaged_record_hides_no_other_lock(site: Site) -> None:
    site.bucket.write("broken", b"x")
    site.hold("prod")

    shown = site.run("status", *site.at)
    data = site.run("status", *site.at, "--json")

    assert shown.exit_code == data.exit_code == 2, shown
    assert 'Lock "prod"' in shown.out
    assert "broken/lock.json is not valid" in shown.err
    assert [lock["name"] for lock in data.document["locks"]] == ["prod"]
