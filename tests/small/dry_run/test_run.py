"""A dry run as JSON and as lines, and what it refuses."""

from dataclasses import replace

import pytest

from gcs_ci_lock.dry_run.run import document, dry_run, progress
from gcs_ci_lock.dry_run.timeline import JobRun, judge
from gcs_ci_lock.errors import UsageError

pytestmark = pytest.mark.example

RUN = JobRun(job="job-1", outcome="acquired", token=7, started=1.0, entered=3.5, left=5.0)


def test_a_finished_run_is_data_with_times_since_the_epoch() -> None:
    assert document([RUN], judge([RUN]), epoch=1_000.0) == {
        "jobs": [
            {
                "job": "job-1",
                "outcome": "acquired",
                "token": 7,
                "waited_s": 2.5,
                "acquired_at": 1_003.5,
                "released_at": 1_005.0,
            }
        ],
        "overlaps": 0,
        "verdict": "serialised",
    }


def test_a_job_that_never_acquired_has_no_times() -> None:
    never = replace(RUN, outcome="timeout", token=None, entered=None, left=None)

    (job,) = document([never], judge([never]), epoch=0.0)["jobs"]

    assert (job["waited_s"], job["acquired_at"], job["released_at"]) == (None, None, None)


@pytest.mark.parametrize(
    ("run", "line"),
    [
        (replace(RUN, outcome="waiting", entered=None, left=None), "waiting"),
        (replace(RUN, outcome="running", left=None), "acquired, token 7"),
        (RUN, "released after 1.5s"),
    ],
)
def test_a_job_is_told_by_what_it_does(run: JobRun, line: str) -> None:
    assert progress(run) == line


@pytest.mark.parametrize("jobs", [0, 51])
def test_too_few_or_too_many_jobs_are_refused_before_anything_starts(jobs: int) -> None:
    with pytest.raises(UsageError, match=f"--jobs {jobs} is out of range: expected 1 to 50"):
        dry_run([], jobs=jobs, as_json=False)
