"""A holder whose job is over is taken over at once, and nobody else is."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gcs_ci_lock.system.clock import SystemClock
from tests.support.bucket import TestBucket
from tests.support.fake_ci import Answer
from tests.support.fake_github import COMPLETED, FakeGitHub, run_answer
from tests.support.fake_gitlab import FakeGitLab
from tests.support.shell import Site, until

pytestmark = pytest.mark.end_to_end

SERVER = "https://ci.example"
TOKEN = "CANARY-token"


@pytest.fixture
def site(bucket: TestBucket, tmp_path: Path) -> Iterator[Site]:
    with Site(bucket, tmp_path) as site:
        yield site


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    with FakeGitHub() as github:
        yield github


def github_job(github: FakeGitHub, run: str) -> dict[str, str]:
    return {
        "GITHUB_ACTIONS": "true",
        "GITHUB_REPOSITORY": "acme/api",
        "GITHUB_RUN_ID": run,
        "GITHUB_RUN_ATTEMPT": "1",
        "GITHUB_SERVER_URL": SERVER,
        "GITHUB_API_URL": github.url,
        "GITHUB_TOKEN": TOKEN,
    }


def gitlab_job(gitlab: FakeGitLab, job: str) -> dict[str, str]:
    return {
        "GITLAB_CI": "true",
        "CI_PROJECT_PATH": "acme/sub/web",
        "CI_JOB_ID": job,
        "CI_JOB_URL": f"{SERVER}/acme/sub/web/-/jobs/{job}",
        "CI_SERVER_URL": SERVER,
        "CI_API_V4_URL": gitlab.url,
        "GCS_CI_LOCK_GITLAB_TOKEN": TOKEN,
    }


def test_a_holder_whose_run_is_completed_is_taken_over_within_five_seconds(
    site: Site, github: FakeGitHub
) -> None:
    github.run = COMPLETED
    site.hold("prod", "--ttl", "10m", environ=github_job(github, "8123"))

    ended = site.run("run", "prod", *site.at, "--", "true", environ=github_job(github, "8200"))

    assert ended.exit_code == 0, ended
    assert "Took over from a holder whose job is over" in ended.err
    assert TOKEN not in ended.err
    first, second = site.bucket.record("prod")["history"]
    assert first["outcome"] == "evicted"
    # By the server's clock: a process that starts slowly has not asked yet.
    assert second["granted_at"] - second["asked_at"] < 5
    assert "8123" in first["note"]
    assert first["note"] in ended.err


@pytest.mark.parametrize(
    ("answer", "questions"),
    [
        (run_answer(status="in_progress"), 1),
        (Answer(manner="hang"), 1),
        (Answer(manner="drip"), 1),
        (Answer(status=404), 1),
        (Answer(body=b"garbage"), 1),
        (COMPLETED, 0),
    ],
    ids=["in progress", "hangs", "drips", "404", "garbage", "switched off"],
)
def test_a_holder_of_whom_anything_else_is_said_is_waited_for(
    site: Site, github: FakeGitHub, answer: Answer, questions: int
) -> None:
    github.run = answer
    site.hold("prod", "--ttl", "10m", environ=github_job(github, "8123"))
    options = [] if questions else ["--no-verify-holder"]
    clock = SystemClock()
    began = clock.boottime()

    words = ("run", "prod", *site.at, "--wait", "6s", *options, "--", "true")
    ended = site.run(*words, environ=github_job(github, "8200"))
    took = clock.boottime() - began
    began = clock.boottime()
    site.run("status", "prod", *site.at)
    starting = clock.boottime() - began

    assert ended.exit_code == 75, ended
    # What the start of a process takes here and now, it may take a few times.
    assert took < 6 + 2 + 3 * starting
    assert len(github.paths) == questions
    assert [h["owner"]["run_id"] for h in site.holders("prod")] == ["8123"]


def test_a_job_of_gitlab_that_has_ended_is_taken_over_too(site: Site) -> None:
    with FakeGitLab() as gitlab:
        site.hold("prod", "--ttl", "10m", environ=gitlab_job(gitlab, "991"))

        ended = site.run("run", "prod", *site.at, "--", "true", environ=gitlab_job(gitlab, "992"))

    assert ended.exit_code == 0, ended
    first, second = site.bucket.record("prod")["history"]
    assert first["outcome"] == "evicted"
    assert second["granted_at"] - second["asked_at"] < 10


def test_the_same_identity_is_taken_over_at_once_and_only_by_it(site: Site) -> None:
    site.hold("prod", "--identity", "laptop")
    other = site.run("run", "prod", *site.at, "--identity", "x", "--wait", "0", "--", "true")

    same = site.run("run", "prod", *site.at, "--identity", "laptop", "--wait", "0", "--", "true")

    assert (other.exit_code, same.exit_code) == (75, 0), same
    assert '"laptop" is here again' in same.err
    until(lambda: site.holders("prod") == [])
