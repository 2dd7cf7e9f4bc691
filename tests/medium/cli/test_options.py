"""The options of all commands: their variables, and values that are none."""

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


def test_a_freeze_may_be_told_by_variables_alone(site: Site) -> None:
    environ = {"GCS_CI_LOCK_REASON": "release week", "GCS_CI_LOCK_UNTIL": "2h"}

    frozen = site.run("freeze", "prod", *site.at, environ=environ)

    assert frozen.exit_code == 0, frozen
    assert site.bucket.record("prod")["frozen"]["until"] is not None


@pytest.mark.parametrize("option", ["--sequence", "--identity"])
def test_an_option_that_protects_is_not_given_empty(site: Site, option: str) -> None:
    refused = site.run("run", "prod", *site.at, option, "", "--", "touch", "ran")

    assert refused.exit_code == 2, refused
    assert f"'{option}'" in refused.err
    assert "it is empty: give it a value, or leave the option out" in refused.err
    assert not (site.folder / "ran").exists()


def test_a_freeze_is_not_made_endless_by_an_empty_end(site: Site) -> None:
    refused = site.run("freeze", "prod", *site.at, "--reason", "x", "--until", "")

    assert refused.exit_code == 2, refused
    assert "'--until'" in refused.err
    assert site.bucket.body("prod") is None


def test_acquire_says_that_it_takes_one_lock(site: Site) -> None:
    shown = site.run("acquire", "--help")
    refused = site.run("acquire", "db", "web", *site.at)

    assert "The lock, such as acme/api/prod." in shown.out
    assert refused.exit_code == 2, refused
    assert "acquire accepts only one lock" in refused.err
