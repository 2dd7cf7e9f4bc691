"""What is asked of GitLab for a hostile record, and what is believed of its answer."""

from dataclasses import replace
from urllib.parse import unquote

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from gcs_ci_lock.platforms.gitlab_api import GitLabClient
from gcs_ci_lock.protocol.record import Owner
from tests.support.api_answers import (
    ENDED,
    GITHUB,
    GITLAB,
    GITLAB_API,
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


def ended(owner: Owner, fetch: OneDocument) -> str:
    client = GitLabClient(api_url=GITLAB_API, server_url=GITLAB, token="canary", fetch=fetch)
    return client.job_ended(owner)


def test_the_exact_answer_is_a_proof() -> None:
    assert ended(JOB, OneDocument(ENDED)) == "GitLab says that job 991 has ended (failed)"


@given(st.one_of(VALUES, NEAR, st.lists(NEAR, max_size=2)))
def test_a_proof_comes_of_the_exact_answer_only(document: object) -> None:
    fields = document if isinstance(document, dict) else {}
    job = fields.get("id")
    over = fields.get("status") in ("success", "failed", "canceled")
    finished = isinstance(fields.get("finished_at"), str) and fields["finished_at"] != ""

    assert bool(ended(JOB, OneDocument(document))) == (
        type(job) is int and job == 991 and over and finished
    )


@given(owner=OWNERS, hostile=HOSTILE_JOBS)
def test_a_request_goes_to_the_project_that_is_named_and_nowhere_else(
    owner: Owner, hostile: Owner
) -> None:
    fetch = OneDocument()

    ended(hostile, fetch)
    ended(owner, fetch)

    project = hostile.repository.replace("/", "%2F")
    assert len(fetch.urls) <= (hostile.platform == "gitlab")
    for url in fetch.urls:
        assert url == f"{GITLAB_API}/projects/{project}/jobs/{hostile.run_id}"
        # Nor does the library make another address of it.
        assert requests.Request("GET", url).prepare().url == url
        assert "/../" not in unquote(url)
        assert len(url) < 500


@given(NASTY)
def test_what_is_no_plain_name_or_number_is_not_asked_about(text: str) -> None:
    page = f"{GITLAB}/%s/-/jobs/%s"
    fetch = OneDocument()

    if text not in {"acme/api", "acme/infra/api", "acme/.git"}:
        ended(replace(JOB, repository=text, url=page % (text, JOB.run_id)), fetch)
    if text not in {"8123", "991", "2"}:
        ended(replace(JOB, run_id=text, url=page % (JOB.repository, text)), fetch)

    assert fetch.urls == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://gitlab.com/acme/infra/api/-/jobs/991",
        f"{GITLAB}.evil.test/acme/infra/api/-/jobs/991",
        f"{GITLAB}/acme/infra/api/-/jobs/9910",
        f"{GITLAB}/acme/infra/other/-/jobs/991",
        f"{GITHUB}/acme/api/actions/runs/8123",
    ],
)
def test_a_job_of_another_page_is_not_asked_about(url: str) -> None:
    fetch = OneDocument(ENDED)

    assert ended(replace(JOB, url=url), fetch) == ""
    assert fetch.urls == []


def test_a_run_of_github_is_not_asked_about() -> None:
    fetch = OneDocument(ENDED)

    assert ended(RUN, fetch) == ""
    assert fetch.urls == []
