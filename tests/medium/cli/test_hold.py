"""`gcs-ci-lock hold` as it is typed, against a real storage server."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.bucket import TestBucket
from tests.support.shell import Site

pytestmark = pytest.mark.end_to_end


@pytest.fixture
def site(bucket: TestBucket, tmp_path: Path) -> Iterator[Site]:
    with Site(bucket, tmp_path) as site:
        yield site


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_hold_keeps_the_lock_until_it_is_told_to_stop(site: Site, number: signal.Signals) -> None:
    running = site.hold("prod")
    (holder,) = site.holders("prod")

    running.send(number)
    ended = running.ended()

    assert ended.exit_code == 0, ended
    assert ended.stdout == b""
    assert f'Released lock "prod" (fencing token {holder["token"]})' in ended.err
    assert site.holders("prod") == []


def test_hold_ends_when_its_lease_is_lost(site: Site) -> None:
    running = site.hold("prod", "--ttl", "30s")

    site.bucket.delete_record("prod")
    ended = running.ended()

    assert ended.exit_code == 76, ended
    assert "is not in the record any more" in ended.err
    assert site.bucket.body("prod") is None
