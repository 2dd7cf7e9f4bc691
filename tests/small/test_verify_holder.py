"""What is asked of a CI system for a hostile record, and what is believed of its answer."""

from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import unquote

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from gcs_ci_lock.platforms.github_api import GitHubClient
from gcs_ci_lock.platforms.gitlab_api import GitLabClient
from gcs_ci_lock.platforms.verifier import BackgroundVerifier, NoVerifier, verifier_of
from gcs_ci_lock.protocol.record import Owner
from tests.support.fakes import FakeClock
from tests.support.strategies import OWNERS

pytestmark = pytest.mark.property

GITHUB, GITHUB_API = "https://github.acme.test", "https://github.acme.test/api/v3"
GITLAB, GITLAB_API = "https://gitlab.acme.test", "https://gitlab.acme.test/api/v4"
RUN = Owner(
    platform="github",
    repository="acme/api",
    run_id="8123",
    attempt="2",
    url=f"{GITHUB}/acme/api/actions/runs/8123/attempts/2",
)
JOB = Owner(
    platform="gitlab",
    repository="acme/infra/api",
    run_id="991",
    url=f"{GITLAB}/acme/infra/api/-/jobs/991",
)
COMPLETED = {"id": 8123, "run_attempt": 2, "status": "completed", "conclusion": "failure"}
ENDED = {"id": 991, "status": "failed", "finished_at": "2026-11-23T10:00:00Z"}

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(0, 3)
    | st.floats(allow_nan=False)
    | st.sampled_from([8123, 8123.0, "8123", 991, 2, "2", "completed", "failed", "queued"])
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
# Objects that come near: a field of the right answer is changed, or missing, or there are others.
FIELDS = ("id", "run_attempt", "status", "conclusion", "finished_at")
NEAR = st.builds(
    lambda right, changed, missing: {
        key: value for key, value in {**right, **changed}.items() if key not in missing
    },
    st.sampled_from([COMPLETED, ENDED]),
    st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=2),
    st.sets(st.sampled_from(FIELDS), max_size=1),
)
NASTY = st.sampled_from(
    [
        *("..", ".", "acme/..", "../..", "acme/api/..", "acme//api", "/acme/api", "acme/api/"),
        *("acme%2fapi", "acme/%2e%2e", "acme/api?x=1", "acme/api#x", "acme/api\n", "acme\\api"),
        *(
            "acme/api\r\nHost: x",
            "@evil.test/api",
            "acme/api;x",
            "acme/\N{CYRILLIC SMALL LETTER A}",
        ),
        *("a/" * 5_000, "acme/" + "x" * 10_000, "1/../2", "8123\n", "08123", "+8123", "8_123"),
        *("\N{ARABIC-INDIC DIGIT EIGHT}", "9" * 21, "0", "-1", "8123/../1", "", "acme/.git"),
        *("acme/api", "acme/infra/api", "8123", "991", "2", "github", "gitlab"),
    ]
)


class Line:
    """Notes what is asked for, and answers all of it with one document."""

    def __init__(self, document: object = None) -> None:
        self.urls: list[str] = []
        self.document = document

    def __call__(self, url: str, headers: Mapping[str, str]) -> object:
        assert "canary" in "".join(headers.values())
        self.urls.append(url)
        return self.document


def asked(owner: Owner, line: Line) -> str:
    """Ask both about one owner."""
    runs = GitHubClient(api_url=GITHUB_API + "/", token="canary", fetch=line)
    jobs = GitLabClient(api_url=GITLAB_API, server_url=GITLAB, token="canary", fetch=line)
    return runs.run_completed(owner, server_url=GITHUB + "/") + jobs.job_ended(owner)


def test_the_exact_answers_are_proofs() -> None:
    assert asked(RUN, Line(COMPLETED)) == (
        "GitHub says that run 8123 attempt 2 is completed (failure)"
    )
    assert asked(JOB, Line(ENDED)) == "GitLab says that job 991 has ended (failed)"


@given(st.one_of(VALUES, NEAR, st.lists(NEAR, max_size=2)))
def test_a_proof_comes_of_the_exact_answer_only(document: object) -> None:
    fields = document if isinstance(document, dict) else {}
    run, attempt, job = fields.get("id"), fields.get("run_attempt"), fields.get("id")
    numbers = type(run) is int and type(attempt) is int and (run, attempt) == (8123, 2)
    ended = fields.get("status") in ("success", "failed", "canceled")
    finished = isinstance(fields.get("finished_at"), str) and fields["finished_at"] != ""

    assert bool(asked(RUN, Line(document))) == (numbers and fields.get("status") == "completed")
    assert bool(asked(JOB, Line(document))) == (
        type(job) is int and job == 991 and ended and finished
    )


@given(st.text(max_size=500))
def test_a_conclusion_is_shown_as_one_short_line(conclusion: str) -> None:
    proof = asked(RUN, Line({**COMPLETED, "conclusion": conclusion}))

    assert proof.isascii()
    assert proof.isprintable()
    assert "::" not in proof
    assert len(proof) <= 100


@pytest.mark.parametrize("conclusion", [None, 1, ["failure"], {}])
def test_a_conclusion_that_is_no_text_is_left_out(conclusion: object) -> None:
    assert asked(RUN, Line({**COMPLETED, "conclusion": conclusion})) == (
        "GitHub says that run 8123 attempt 2 is completed"
    )


def test_an_attempt_that_is_not_named_is_the_first() -> None:
    line = Line()

    asked(replace(RUN, attempt=""), line)

    assert line.urls == [f"{GITHUB_API}/repos/acme/api/actions/runs/8123/attempts/1"]


@given(
    owner=OWNERS,
    base=st.sampled_from([RUN, JOB]),
    changes=st.dictionaries(
        st.sampled_from(["platform", "repository", "run_id", "attempt"]), NASTY, max_size=2
    ),
    tail=st.sampled_from(["", "/attempts/2", "?x", "#x", "0", "/../..", "\n"]),
    keep_page=st.booleans(),
)
def test_a_request_goes_to_the_repository_that_is_named_and_nowhere_else(
    owner: Owner, base: Owner, changes: dict[str, str], tail: str, *, keep_page: bool
) -> None:
    hostile = replace(base, actor=owner.actor, job=owner.job, **changes)
    page = f"{GITHUB}/{hostile.repository}/actions/runs/{hostile.run_id}{tail}"
    if base is JOB:
        page = f"{GITLAB}/{hostile.repository}/-/jobs/{hostile.run_id}{tail}"
    hostile = replace(hostile, url=base.url if keep_page else page)
    line = Line()

    asked(hostile, line)
    asked(owner, line)

    repository, run = hostile.repository, hostile.run_id
    attempt = hostile.attempt or "1"
    project = repository.replace("/", "%2F")
    allowed = {
        f"{GITHUB_API}/repos/{repository}/actions/runs/{run}/attempts/{attempt}",
        f"{GITLAB_API}/projects/{project}/jobs/{run}",
    }
    assert len(line.urls) <= 1
    for url in line.urls:
        assert url in allowed
        # Nor does the library make another address of it.
        assert requests.Request("GET", url).prepare().url == url
        assert "/../" not in unquote(url)
        assert len(url) < 500


@given(NASTY)
def test_what_is_no_plain_name_or_number_is_not_asked_about(text: str) -> None:
    plain = {"acme/api", "acme/infra/api", "acme/.git"}
    line = Line()

    for base, page in ((RUN, f"{GITHUB}/%s/actions/runs/%s"), (JOB, f"{GITLAB}/%s/-/jobs/%s")):
        if text not in plain:
            asked(replace(base, repository=text, url=page % (text, base.run_id)), line)
        if text not in {"8123", "991", "2"}:
            asked(replace(base, run_id=text, url=page % (base.repository, text)), line)
    if text not in {"8123", "991", "2", ""}:
        asked(replace(RUN, attempt=text), line)

    assert line.urls == []


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
    line = Line(COMPLETED)

    assert asked(replace(RUN, url=url), line) == ""
    assert line.urls == []


GITHUB_JOB = {"GITHUB_API_URL": GITHUB_API, "GITHUB_SERVER_URL": GITHUB}
GITLAB_JOB = {"CI_API_V4_URL": GITLAB_API, "CI_SERVER_URL": GITLAB}


@pytest.mark.parametrize(
    ("environ", "token", "possible"),
    [
        ({}, "", False),
        ({}, "t", True),
        ({"GITHUB_TOKEN": "t"}, "", True),
        (GITHUB_JOB, "", False),
        (GITHUB_JOB, "t", True),
        ({**GITHUB_JOB, "ACT": "true"}, "t", False),
        # It has no attempts of a whole run.
        ({**GITHUB_JOB, "GITEA_ACTIONS": "true"}, "t", False),
        # One address without the other could be another server's.
        ({"GITHUB_API_URL": GITHUB_API}, "t", False),
        ({"GITHUB_SERVER_URL": GITHUB}, "t", False),
        (GITLAB_JOB, "", False),
        ({**GITLAB_JOB, "CI_JOB_TOKEN": "t"}, "", True),
        ({**GITLAB_JOB, "GCS_CI_LOCK_GITLAB_TOKEN": "t"}, "", True),
        ({"GCS_CI_LOCK_GITLAB_TOKEN": "t"}, "", False),
        ({**GITLAB_JOB, "CI_JOB_TOKEN": "t", "ACT": "true"}, "t", True),
    ],
)
def test_where_nothing_can_be_asked_there_is_no_verifier(
    environ: dict[str, str], token: str, *, possible: bool
) -> None:
    verifier = verifier_of(environ, tokens={"github": token}, clock=FakeClock())

    assert isinstance(verifier, BackgroundVerifier if possible else NoVerifier)
