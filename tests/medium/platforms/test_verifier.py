"""Is a holder's job over? Asked of stand-ins for GitHub's and GitLab's API on this machine."""

import gzip
import json
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Literal

import pytest

from gcs_ci_lock.platforms.github_api import GitHubClient
from gcs_ci_lock.platforms.gitlab_api import GitLabClient
from gcs_ci_lock.platforms.http import MAX_BYTES, get_json
from gcs_ci_lock.platforms.verifier import ABANDON_AFTER, verifier_of
from gcs_ci_lock.ports import Verifier
from gcs_ci_lock.protocol.record import Owner
from gcs_ci_lock.system.clock import SystemClock
from tests.support.fake_ci import Answer
from tests.support.fake_github import COMPLETED, FakeGitHub, run_answer
from tests.support.fake_gitlab import FAILED, FakeGitLab, job_answer
from tests.support.fakes import FakeClock

pytestmark = pytest.mark.fault

GITHUB, GITLAB = "https://github.acme.test", "https://gitlab.acme.test"
RUN = Owner(
    platform="github",
    repository="acme/api",
    run_id="8123",
    attempt="1",
    url=f"{GITHUB}/acme/api/actions/runs/8123",
)
JOB = Owner(
    platform="gitlab",
    repository="acme/infra/api",
    run_id="991",
    url=f"{GITLAB}/acme/infra/api/-/jobs/991",
)
RUN_PATH = "/repos/acme/api/actions/runs/8123/attempts/1"
JOB_PATH = "/projects/acme%2Finfra%2Fapi/jobs/991"
TOKEN = "canary-token"
IMPATIENT = partial(get_json, silence=0.5)
# Far below the test's own limit, far above what an honest answer takes.
DEADLINE = 10.0

BAD_ANSWERS = {
    "403": Answer(status=403, body=COMPLETED.body),
    "404": Answer(status=404, body=COMPLETED.body),
    "429": Answer(status=429, body=COMPLETED.body),
    "500": Answer(status=500, body=COMPLETED.body),
    "201": Answer(status=201, body=COMPLETED.body),
    "empty": Answer(body=b""),
    "garbage": Answer(body=b"\xff\x00<html>completed</html>"),
    "half of it": Answer(body=COMPLETED.body[:-1]),
    "two of it": Answer(body=COMPLETED.body * 2),
    "an array": Answer(body=b"[" + COMPLETED.body + b"]"),
    "a text": Answer(body=b'"completed"'),
    "null": Answer(body=b"null"),
    "deep": Answer(body=b'{"a":' * 100_000),
    "deep array": Answer(body=b"[" * 1_000_000),
    "a key twice": Answer(body=b'{"status": "queued",' + COMPLETED.body[1:]),
    "10 MB": Answer(body=COMPLETED.body + b" " * 10_000_000),
    "1 byte too many": Answer(body=COMPLETED.body.ljust(MAX_BYTES + 1)),
    "packed": Answer(body=gzip.compress(COMPLETED.body), encoding="gzip"),
    "a long number": Answer(body=b'{"id": ' + b"9" * 10_000 + b"}"),
    "hangs": Answer(manner="hang"),
    "in progress": run_answer(status="in_progress", conclusion=None),
    "queued": run_answer(status="queued", conclusion=None),
    "waiting": run_answer(status="waiting", conclusion=None),
    "no status": run_answer(conclusion="failure"),
    "another case": run_answer(status="Completed", conclusion="failure"),
    "another run": run_answer(8124, status="completed", conclusion="failure"),
    "another attempt": run_answer(attempt=2, status="completed", conclusion="failure"),
    "its number as a text": run_answer("8123", status="completed", conclusion="failure"),
    "its attempt as true": run_answer(attempt=True, status="completed", conclusion="failure"),
    "its number with a point": run_answer(8123.0, status="completed", conclusion="failure"),
}


@pytest.fixture(autouse=True)
def _no_proxy_between(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    with FakeGitHub(run=COMPLETED) as github:
        yield github


@pytest.fixture
def gitlab() -> Iterator[FakeGitLab]:
    with FakeGitLab() as gitlab:
        yield gitlab


def run_completed(github: FakeGitHub) -> str:
    client = GitHubClient(api_url=github.url, token=TOKEN, fetch=IMPATIENT)
    return client.run_completed(RUN, server_url=GITHUB)


def job_ended(gitlab: FakeGitLab, token: str = TOKEN) -> str:
    client = GitLabClient(
        api_url=gitlab.url,
        server_url=GITLAB,
        token=token,
        job_token="canary-job-token",
        fetch=IMPATIENT,
    )
    return client.job_ended(JOB)


def awaited(verifier: Verifier, owner: Owner) -> str:
    pause = threading.Event()
    for _ in range(int(DEADLINE / 0.01)):
        if proof := verifier.proof(owner, every=60.0):
            return proof
        pause.wait(0.01)
    return ""


def test_a_run_that_github_calls_completed_is_over(github: FakeGitHub) -> None:
    proof = run_completed(github)

    assert proof == "GitHub says that run 8123 attempt 1 is completed (failure)"
    assert github.paths == [RUN_PATH]
    assert github.tokens == {f"Bearer {TOKEN}"}


@pytest.mark.parametrize("answer", BAD_ANSWERS.values(), ids=BAD_ANSWERS.keys())
def test_any_other_answer_of_github_says_nothing(github: FakeGitHub, answer: Answer) -> None:
    github.run = answer

    assert run_completed(github) == ""
    assert github.paths == [RUN_PATH]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_of_github_is_followed(github: FakeGitHub, status: int) -> None:
    github.run = Answer(status=status, location=f"{github.url}/completed")

    assert run_completed(github) == ""
    assert github.paths == [RUN_PATH]


def test_an_answer_of_exactly_the_limit_is_read(github: FakeGitHub) -> None:
    github.run = Answer(body=COMPLETED.body.ljust(MAX_BYTES))

    assert run_completed(github)


def test_a_server_that_is_gone_says_nothing() -> None:
    with FakeGitHub() as gone:
        pass

    assert run_completed(gone) == ""


def test_a_password_for_the_host_does_not_replace_the_token(
    github: FakeGitHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login alice password swordfish\n")
    monkeypatch.setenv("NETRC", str(netrc))

    assert run_completed(github)
    assert github.tokens == {f"Bearer {TOKEN}"}


@pytest.mark.parametrize("token", ["line\nbreak", "\N{SNOWMAN}", "\ud800"])
def test_a_token_that_cannot_be_sent_is_unknown(github: FakeGitHub, token: str) -> None:
    client = GitHubClient(api_url=github.url, token=token)

    assert client.run_completed(RUN, server_url=GITHUB) == ""
    assert github.asked == 0


@pytest.mark.parametrize("status", ["success", "failed", "canceled"])
def test_a_job_that_gitlab_calls_ended_is_over(gitlab: FakeGitLab, status: str) -> None:
    gitlab.job = job_answer(status)

    assert job_ended(gitlab) == f"GitLab says that job 991 has ended ({status})"
    assert gitlab.paths == [JOB_PATH]
    assert gitlab.headers[0]["private-token"] == TOKEN
    assert "job-token" not in gitlab.headers[0]


def test_without_an_access_token_the_jobs_own_is_tried(gitlab: FakeGitLab) -> None:
    assert job_ended(gitlab, token="")
    assert gitlab.headers[0]["job-token"] == "canary-job-token"
    assert "private-token" not in gitlab.headers[0]


@pytest.mark.parametrize(
    "answer",
    [
        *(job_answer(s) for s in ("canceling", "skipped", "running", "pending", "manual", "")),
        *(job_answer(s) for s in ("created", "scheduled", "waiting_for_resource", 1, None)),
        job_answer("failed", finished_at=None),
        job_answer("failed", finished_at=""),
        job_answer("failed", finished_at=1),
        job_answer("failed", job=992),
        job_answer("failed", job="991"),
        Answer(status=401, body=FAILED.body),
        Answer(status=403, body=FAILED.body),
        Answer(status=404, body=FAILED.body),
        Answer(status=429, body=FAILED.body),
        Answer(status=502, body=FAILED.body),
        Answer(status=302, location="/ended"),
        Answer(body=b"[" + FAILED.body + b"]"),
        Answer(body=b"<html>"),
        Answer(manner="hang"),
    ],
)
def test_any_other_answer_of_gitlab_says_nothing(gitlab: FakeGitLab, answer: Answer) -> None:
    gitlab.job = answer

    assert job_ended(gitlab) == ""
    assert gitlab.paths == [JOB_PATH]


def test_in_the_background_each_owner_is_asked_about_at_its_own_platform(
    github: FakeGitHub, gitlab: FakeGitLab
) -> None:
    environ = {
        "GITHUB_API_URL": github.url,
        "GITHUB_SERVER_URL": GITHUB,
        "CI_API_V4_URL": gitlab.url,
        "CI_SERVER_URL": GITLAB,
        "GCS_CI_LOCK_GITLAB_TOKEN": "for-gitlab",
    }
    verifier = verifier_of(environ, tokens={"github": "for-github"}, clock=SystemClock())

    assert verifier.proof(RUN, every=60.0) == ""
    assert "completed" in awaited(verifier, RUN)
    assert "ended" in awaited(verifier, JOB)

    assert (github.paths, gitlab.paths) == ([RUN_PATH], [JOB_PATH])
    assert "for-gitlab" not in json.dumps(github.headers)
    assert "for-github" not in json.dumps(gitlab.headers)


def test_a_refusal_is_not_asked_again_within_the_minute(github: FakeGitHub) -> None:
    github.run = Answer(status=429)
    environ = {"GITHUB_API_URL": github.url, "GITHUB_SERVER_URL": GITHUB}
    verifier = verifier_of(environ, tokens={"github": TOKEN}, clock=SystemClock())
    pause = threading.Event()

    for _ in range(100):
        assert verifier.proof(RUN, every=60.0) == ""
        pause.wait(0.01)

    assert github.paths == [RUN_PATH]


@pytest.mark.parametrize("manner", ["drip", "drip-head"])
def test_a_server_that_drips_costs_a_thread_and_no_other_answer(
    gitlab: FakeGitLab, manner: Literal["drip", "drip-head"]
) -> None:
    clock = FakeClock()
    with FakeGitHub(run=Answer(manner=manner, body=COMPLETED.body)) as github:
        environ = {
            "GITHUB_API_URL": github.url,
            "GITHUB_SERVER_URL": GITHUB,
            "CI_API_V4_URL": gitlab.url,
            "CI_SERVER_URL": GITLAB,
        }
        tokens = {"github": TOKEN, "gitlab": TOKEN}
        verifier = verifier_of(environ, tokens=tokens, clock=clock)
        assert verifier.proof(RUN, every=60.0) == ""
        assert verifier.proof(JOB, every=60.0) == ""

        clock.sleep(ABANDON_AFTER)

        assert "ended" in awaited(verifier, JOB)
        assert verifier.proof(RUN, every=60.0) == ""
        stragglers = [
            t for t in threading.enumerate() if t.name == "verify-holder" and t.is_alive()
        ]
    assert len(stragglers) == 1
    assert stragglers[0].daemon
    # The server is gone: so is the straggler.
    stragglers[0].join(DEADLINE)
    assert not stragglers[0].is_alive()
