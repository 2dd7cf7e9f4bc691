"""What the API of a CI system may be asked about and answer: jobs, documents, and hostile ones."""

from collections.abc import Mapping
from dataclasses import replace

from hypothesis import strategies as st

from gcs_ci_lock.protocol.record import Owner

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


class OneDocument:
    """A `Fetch` that answers everything with one document, and notes the addresses."""

    def __init__(self, document: object = None) -> None:
        self.urls: list[str] = []
        self.document = document

    def __call__(self, url: str, headers: Mapping[str, str]) -> object:
        assert "canary" in "".join(headers.values())
        self.urls.append(url)
        return self.document


def _hostile_job(base: Owner, changes: dict[str, str], tail: str, *, keep_page: bool) -> Owner:
    hostile = replace(base, **changes)
    page = f"{GITHUB}/{hostile.repository}/actions/runs/{hostile.run_id}{tail}"
    if base is JOB:
        page = f"{GITLAB}/{hostile.repository}/-/jobs/{hostile.run_id}{tail}"
    return replace(hostile, url=base.url if keep_page else page)


# Owners that come near a run or a job that may be asked about.
HOSTILE_JOBS = st.builds(
    _hostile_job,
    base=st.sampled_from([RUN, JOB]),
    changes=st.dictionaries(
        st.sampled_from(["platform", "repository", "run_id", "attempt"]), NASTY, max_size=2
    ),
    tail=st.sampled_from(["", "/attempts/2", "?x", "#x", "0", "/../..", "\n"]),
    keep_page=st.booleans(),
)
