"""What the APIs of GitHub and GitLab may say of a holder's job, and what follows from it."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gcs_ci_lock.ci.run_api import GitHubRuns, GitLabJobs, verifier_of
from gcs_ci_lock.ci.verifying import BackgroundVerifier, NoVerifier
from gcs_ci_lock.clock import SystemClock
from gcs_ci_lock.core.record import OWNER_FIELDS, Owner
from tests.support.bucket import TestBucket
from tests.support.fake_ci import GITHUB_RUN, GITLAB_JOB, FakeCi, says
from tests.support.shell import Site, until

SERVER = "https://github.example"
RUN = Owner(
    platform="github",
    repository="acme/api",
    run_id="8123",
    attempt="1",
    url=f"{SERVER}/acme/api/actions/runs/8123",
)
JOB = Owner(
    platform="gitlab",
    repository="acme/sub/web",
    run_id="77",
    url=f"{SERVER}/acme/sub/web/-/jobs/77",
)
TOKEN = "CANARY-token"


@pytest.fixture
def ci() -> Iterator[FakeCi]:
    with FakeCi() as ci:
        yield ci


def github(ci: FakeCi) -> GitHubRuns:
    return GitHubRuns(api_url=ci.url, server_url=SERVER, token=TOKEN, clock=SystemClock())


def gitlab(ci: FakeCi) -> GitLabJobs:
    headers = {"PRIVATE-TOKEN": TOKEN}
    return GitLabJobs(api_url=ci.url, server_url=SERVER, headers=headers, clock=SystemClock())


def drips(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    for _ in range(20):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        threading.Event().wait(0.1)


@pytest.mark.example
def test_a_completed_attempt_is_a_proof(ci: FakeCi) -> None:
    ci.answer = says(GITHUB_RUN)

    proof = github(ci).proof(RUN)

    assert proof == "GitHub says that run 8123, attempt 1, is completed (failure)"
    assert ci.paths == ["/repos/acme/api/actions/runs/8123/attempts/1"]
    assert ci.headers["Authorization"] == f"Bearer {TOKEN}"


@pytest.mark.example
@pytest.mark.parametrize("status", ["success", "failed", "canceled"])
def test_an_ended_job_of_gitlab_is_a_proof(ci: FakeCi, status: str) -> None:
    ci.answer = says({**GITLAB_JOB, "status": status})

    proof = gitlab(ci).proof(JOB)

    assert proof == f"GitLab says that job 77 has ended ({status})"
    assert ci.paths == ["/projects/acme%2Fsub%2Fweb/jobs/77"]
    assert ci.headers["PRIVATE-TOKEN"] == TOKEN


@pytest.mark.fault
@pytest.mark.parametrize(
    "answer",
    [
        *(says({**GITHUB_RUN, "status": word}) for word in ("in_progress", "queued", "", None)),
        *(says({**GITHUB_RUN, key: value}) for key, value in (("id", 8124), ("run_attempt", 2))),
        *(says({**GITHUB_RUN, key: value}) for key, value in (("id", "8123"), ("id", None))),
        *(says(GITHUB_RUN, status=code) for code in (201, 401, 403, 404, 429, 500, 503)),
        says([GITHUB_RUN]),
        says(b"garbage"),
        says(b"\xff\xfe"),
        says(b"[" * 60_000),
        says(b""),
        says({**GITHUB_RUN, "padding": "x" * 10_000_000}),
        drips,
    ],
)
def test_anything_else_of_github_is_no_proof(
    ci: FakeCi, answer: Callable[[BaseHTTPRequestHandler], None]
) -> None:
    ci.answer = answer

    assert github(ci).proof(RUN) == ""
    assert len(ci.paths) == 1


@pytest.mark.fault
@pytest.mark.parametrize(
    "change",
    [
        *({"status": word} for word in ("running", "canceling", "skipped", "pending", "manual")),
        {"id": 78},
        {"finished_at": None},
    ],
    ids=str,
)
def test_anything_else_of_gitlab_is_no_proof(ci: FakeCi, change: dict[str, object]) -> None:
    ci.answer = says({**GITLAB_JOB, **change})

    assert gitlab(ci).proof(JOB) == ""


@pytest.mark.fault
def test_a_redirect_is_not_followed(ci: FakeCi) -> None:
    with FakeCi(answer=says(GITHUB_RUN)) as other:
        ci.answer = says({}, status=301, location=f"{other.url}/moved")

        assert github(ci).proof(RUN) == ""
        assert other.paths == []


@pytest.mark.fault
def test_nobody_there_is_no_proof() -> None:
    with FakeCi() as gone:
        asked = github(gone)

    assert asked.proof(RUN) == ""


@pytest.mark.example
@pytest.mark.parametrize(
    "change",
    [
        {"platform": "gitlab"},
        {"repository": "acme"},
        {"repository": "acme/api/.."},
        {"repository": "../api"},
        {"repository": "acme/api?x"},
        {"run_id": "8123/../8124"},
        {"run_id": ""},
        {"attempt": "1#"},
        {"attempt": "9" * 19},
        {"url": "https://github.com/acme/api/actions/runs/8123"},
        {"url": RUN.url + "4"},
        {"url": ""},
    ],
    ids=str,
)
def test_who_is_not_plainly_a_run_of_our_server_is_not_asked_about(
    ci: FakeCi, change: dict[str, str]
) -> None:
    ci.answer = says(GITHUB_RUN)

    assert github(ci).proof(replace(RUN, **change)) == ""
    assert ci.paths == []


NASTY = st.one_of(
    st.sampled_from(
        [*(getattr(RUN, key) for key in OWNER_FIELDS), "a/../b", "%2f", "x\n", "1?", "#"]
    ),
    st.text(max_size=8),
)


@pytest.mark.property
@given(st.fixed_dictionaries({}, optional=dict.fromkeys(OWNER_FIELDS, NASTY)))
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_owner_makes_us_ask_for_anything_but_its_own_run(
    ci: FakeCi, fields: dict[str, str]
) -> None:
    owner = replace(RUN, **fields)
    ci.paths.clear()

    github(ci).proof(owner)

    path = f"/repos/{owner.repository}/actions/runs/{owner.run_id}/attempts/{owner.attempt or 1}"
    assert ci.paths in ([], [path])


@pytest.mark.property
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=9),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from([*GITHUB_RUN]), inner, max_size=4)
        ),
        max_leaves=6,
    )
)
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_only_the_exact_shape_is_a_proof(ci: FakeCi, document: object) -> None:
    ci.answer = says(document)

    proof = github(ci).proof(RUN)

    exact = isinstance(document, dict) and {
        key: document.get(key) for key in ("id", "run_attempt", "status")
    } == {key: GITHUB_RUN[key] for key in ("id", "run_attempt", "status")}
    assert bool(proof) == exact


@pytest.mark.example
def test_who_can_be_asked_is_told_by_the_environment() -> None:
    clock = SystemClock()
    lab = {"CI_API_V4_URL": "https://x/api/v4", "CI_SERVER_URL": "https://x"}

    assert isinstance(verifier_of({}, github_token="", clock=clock), NoVerifier)
    assert isinstance(verifier_of({"ACT": "true"}, github_token="t", clock=clock), NoVerifier)
    assert isinstance(verifier_of({}, github_token="tök€n", clock=clock), NoVerifier)
    assert isinstance(verifier_of(lab, github_token="", clock=clock), NoVerifier)
    assert isinstance(verifier_of({}, github_token="t", clock=clock), BackgroundVerifier)
    for token in ("CI_JOB_TOKEN", "GCS_CI_LOCK_GITLAB_TOKEN"):
        found = verifier_of({**lab, token: "t"}, github_token="", clock=clock)
        assert isinstance(found, BackgroundVerifier)


@pytest.fixture
def site(bucket: TestBucket, tmp_path: Path) -> Iterator[Site]:
    with Site(bucket, tmp_path) as site:
        yield site


def github_job(ci: FakeCi, run: str) -> dict[str, str]:
    return {
        "GITHUB_ACTIONS": "true",
        "GITHUB_REPOSITORY": "acme/api",
        "GITHUB_RUN_ID": run,
        "GITHUB_RUN_ATTEMPT": "1",
        "GITHUB_SERVER_URL": SERVER,
        "GITHUB_API_URL": ci.url,
        "GITHUB_TOKEN": TOKEN,
    }


@pytest.mark.end_to_end
def test_a_holder_whose_run_is_completed_is_taken_over_within_five_seconds(
    site: Site, ci: FakeCi
) -> None:
    ci.answer = says(GITHUB_RUN)
    site.hold("prod", "--ttl", "10m", environ=github_job(ci, "8123"))
    clock = SystemClock()
    began = clock.boot()

    ended = site.run("run", "prod", *site.at, "--", "true", environ=github_job(ci, "8200"))

    assert ended.exit_code == 0, ended
    assert clock.boot() - began < 5
    proof = "GitHub says that run 8123, attempt 1, is completed (failure)"
    assert "Took over from a holder that is dead" in ended.err
    assert proof in ended.err
    first, _ = site.bucket.record("prod")["history"]
    assert (first["outcome"], first["note"]) == ("evicted", proof)
    assert TOKEN not in ended.err


def hangs(ci: FakeCi) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(_: BaseHTTPRequestHandler) -> None:
        ci.over.wait(30)

    return answer


@pytest.mark.end_to_end
@pytest.mark.parametrize("word", ["in_progress", "hangs", "404", "off"])
def test_a_holder_of_whom_anything_else_is_said_is_waited_for(
    site: Site, ci: FakeCi, word: str
) -> None:
    ci.answer = {
        "in_progress": says({**GITHUB_RUN, "status": "in_progress"}),
        "hangs": hangs(ci),
        "404": says({"message": "Not Found"}, status=404),
        "off": says(GITHUB_RUN),
    }[word]
    holder = site.hold("prod", "--ttl", "10m", environ=github_job(ci, "8123"))
    options = ["--no-verify-holder"] if word == "off" else []
    clock = SystemClock()
    began = clock.boot()

    words = ("run", "prod", *site.at, "--wait", "8s", *options, "--", "true")
    ended = site.run(*words, environ=github_job(ci, "8200"))

    assert ended.exit_code == 75, ended
    assert clock.boot() - began < 12
    assert len(ci.paths) == (0 if word == "off" else 1)
    assert [h["owner"]["run_id"] for h in site.holders("prod")] == ["8123"]
    assert "Released" not in holder.err


@pytest.mark.end_to_end
def test_the_same_identity_is_taken_over_at_once_and_only_by_it(site: Site) -> None:
    site.hold("prod", "--identity", "laptop")
    other = site.run("run", "prod", *site.at, "--identity", "x", "--wait", "0", "--", "true")

    same = site.run("run", "prod", *site.at, "--identity", "laptop", "--wait", "0", "--", "true")

    assert (other.exit_code, same.exit_code) == (75, 0), same
    assert '"laptop" is here again' in same.err
    until(lambda: site.holders("prod") == [])
