"""`freeze` and `unfreeze` as a person types them."""

import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gcs_ci_lock.system.clock import SystemClock
from tests.support.bucket import TestBucket
from tests.support.shell import Site, until

pytestmark = pytest.mark.end_to_end


@pytest.fixture
def site(bucket: TestBucket, tmp_path: Path) -> Iterator[Site]:
    with Site(bucket, tmp_path) as site:
        yield site


def test_nobody_enters_a_frozen_lock_and_is_told_why(site: Site) -> None:
    frozen = site.run("freeze", "prod", *site.at, "--reason", "release week", "--until", "2h")

    ended = site.run("run", "prod", *site.at, "--wait", "1s", "--", "touch", "ran")

    assert frozen.exit_code == 0, frozen
    assert 'Lock "prod" frozen by ' in frozen.err
    assert ended.exit_code == 75, ended
    assert 'reason: "release week"' in ended.err
    assert not (site.folder / "ran").exists()
    assert "is frozen" in site.run("status", "prod", *site.at).out


def test_a_lock_is_free_again_after_unfreeze_and_who_waits_enters(site: Site) -> None:
    site.run("freeze", "prod", *site.at, "--reason", "release week")
    waiting = site.start("run", "prod", *site.at, "--", "true")
    until(lambda: "frozen " in waiting.err)

    unfrozen = site.run("unfreeze", "prod", *site.at)
    unfrozen_at = datetime.now(UTC).timestamp()
    again = site.run("unfreeze", "prod", *site.at)

    assert unfrozen.exit_code == 0, unfrozen
    assert 'Lock "prod" unfrozen; it was frozen by ' in unfrozen.err
    assert (again.exit_code, "is not frozen" in again.err) == (0, True)
    assert waiting.ended().exit_code == 0
    # Of the clock that the server has too.
    (end,) = site.bucket.record("prod")["history"]
    assert end["granted_at"] - unfrozen_at < 6


def test_a_freeze_ends_by_itself(site: Site) -> None:
    clock = SystemClock()
    began = clock.boottime()
    site.run("status", "prod", *site.at)
    # It still stands when the next process has started, which a busy machine delays.
    frozen_for = round(2 + 4 * (clock.boottime() - began))
    site.run("freeze", "prod", *site.at, "--reason", "short", "--until", f"{frozen_for}s")

    ended = site.run("run", "prod", *site.at, "--wait", f"{frozen_for + 12}s", "--", "true")

    assert ended.exit_code == 0, ended
    assert "frozen " in ended.err


def test_who_holds_a_lock_that_is_frozen_goes_on_and_releases(site: Site) -> None:
    holder = site.start("hold", "prod", *site.at, "--ttl", "30s")
    until(lambda: "Acquired" in holder.err)

    site.run("freeze", "prod", *site.at, "--reason", "release week")

    until(lambda: site.holders("prod")[0]["beat"] > 1)
    holder.send(signal.SIGTERM)
    assert holder.ended().exit_code == 0
    assert site.bucket.record("prod")["frozen"]["reason"] == "release week"


def test_a_second_freeze_replaces_the_first_and_says_so(site: Site) -> None:
    site.run("freeze", "prod", *site.at, "--reason", "short", "--until", "1h")

    second = site.run("freeze", "prod", *site.at, "--reason", "longer")

    assert second.exit_code == 0, second
    assert "Replaced the freeze by" in second.err
    assert 'reason: "short"' in second.err
    assert site.bucket.record("prod")["frozen"]["until"] is None


@pytest.mark.parametrize("until", ["9999-12-31T00:00Z", "99999999999h", "20261124T0600Z", "0s"])
def test_an_end_that_is_none_is_refused_and_the_lock_stays_as_it_was(
    site: Site, until: str
) -> None:
    site.run("freeze", "prod", *site.at, "--reason", "release week", "--until", "1h")
    before = site.bucket.record("prod")

    refused = site.run("freeze", "prod", *site.at, "--reason", "x", "--until", until)

    assert refused.exit_code == 2, refused
    assert f'until "{until}" is ' in refused.err
    assert "expected a " in refused.err
    assert site.bucket.record("prod") == before
    assert site.run("unfreeze", "prod", *site.at).exit_code == 0
