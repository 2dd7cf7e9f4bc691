"""What is asked of GitHub for a hostile record, and what is believed of its answer."""

from dataclasses import replace
from urllib.parse import unquote

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from gcs_ci_lock.platforms.github_api import GitHubClient
from gcs_ci_lock.protocol.record import Owner
from tests.support.api_answers import (
    COMPLETED,
    GITHUB,
    GITHUB_API,
    GITLAB,
    HOSTILE_JOBS,
    JOB,
    NASTY,
    NEAR,
    RUN,
    VALUES,
    OneDocument,
)
from tests.support.strategies import OWNERS

pytestmark = pytest.mark.property


def completed(owner: Owner, fetch: OneDocument) -> str:
    client = GitHubClient(api_url=GITHUB_API + "/", token="canary", fetch=fetch)
    return client.run_completed(owner, server_url=GITHUB + "/")


def test_the_exact_answer_is_a_proof() -> None:
    assert completed(RUN, OneDocument(COMPLETED)) == (
        "GitHub says that run 8123 attempt 2 is completed (failure)"
    )


@given(st.one_of(VALUES, NEAR, st.lists(NEAR, max_size=2)))
def test_a_proof_comes_of_the_exact_answer_only(document: object) -> None:
    fields = document if isinstance(document, dict) else {}
    run, attempt = fields.get("id"), fields.get("run_attempt")
    numbers = type(run) is int and type(attempt) is int and (run, attempt) == (8123, 2)

    assert bool(completed(RUN, OneDocument(document))) == (
        numbers and fields.get("status") == "completed"
    )


@given(st.text(max_size=500))
def test_a_conclusion_is_shown_as_one_short_line(conclusion: str) -> None:
    proof = completed(RUN, OneDocument({**COMPLETED, "conclusion": conclusion}))

    assert proof.isascii()
    assert proof.isprintable()
    assert "::" not in proof
    assert len(proof) <= 100


@pytest.mark.parametrize("conclusion", [None, 1, ["failure"], {}])
def test_a_conclusion_that_is_no_text_is_left_out(conclusion: object) -> None:
    assert completed(RUN, OneDocument({**COMPLETED, "conclusion": conclusion})) == (
        "GitHub says that run 8123 attempt 2 is completed"
    )


def test_an_attempt_that_is_not_named_is_the_first() -> None:
    fetch = OneDocument()

    completed(replace(RUN, attempt=""), fetch)

    assert fetch.urls == [f"{GITHUB_API}/repos/acme/api/actions/runs/8123/attempts/1"]


@given(owner=OWNERS, hostile=HOSTILE_JOBS)
def test_a_request_goes_to_the_repository_that_is_named_and_nowhere_else(
    owner: Owner, hostile: Owner
) -> None:
    fetch = OneDocument()

    completed(hostile, fetch)
    completed(owner, fetch)

    repository, run = hostile.repository, hostile.run_id
    attempt = hostile.attempt or "1"
    allowed = f"{GITHUB_API}/repos/{repository}/actions/runs/{run}/attempts/{attempt}"
    assert len(fetch.urls) <= (hostile.platform == "github")
    for url in fetch.urls:
        assert url == allowed
        # Nor does the library make another address of it.
        assert requests.Request("GET", url).prepare().url == url
        assert "/../" not in unquote(url)
        assert len(url) < 500


@given(NASTY)
def test_what_is_no_plain_name_or_number_is_not_asked_about(text: str) -> None:
    page = f"{GITHUB}/%s/actions/runs/%s"
    fetch = OneDocument()

    if text not in {"acme/api", "acme/.git"}:
        completed(replace(RUN, repository=text, url=page % (text, RUN.run_id)), fetch)
    if text not in {"8123", "991", "2"}:
        completed(replace(RUN, run_id=text, url=page % (RUN.repository, text)), fetch)
    if text not in {"8123", "991", "2", ""}:
        completed(replace(RUN, attempt=text), fetch)

    assert fetch.urls == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://github.com/acme/api/actions/runs/8123",
        f"{GITHUB}.evil.test/acme/api/actions/runs/8123",
        f"{GITHUB}/acme/api/actions/runs/81230",
        f"{GITHUB}/acme/other/actions/runs/8123",
        f"{GITLAB}/acme/infra/api/-/jobs/991",
    ],
)
def test_a_run_of_another_page_is_not_asked_about(url: str) -> None:
    fetch = OneDocument(COMPLETED)

    assert completed(replace(RUN, url=url), fetch) == ""
    assert fetch.urls == []


def test_a_job_of_gitlab_is_not_asked_about() -> None:
    fetch = OneDocument(COMPLETED)

    assert completed(JOB, fetch) == ""
    assert fetch.urls == []
