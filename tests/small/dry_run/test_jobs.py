"""What a job of a dry run is given, and how its end is read."""

import pytest

from gcs_ci_lock.dry_run.jobs import job_environ, outcome_of
from gcs_ci_lock.dry_run.timeline import JobOutcome

pytestmark = pytest.mark.example


def test_settings_of_real_locks_and_of_ci_systems_do_not_reach_a_job() -> None:
    environ = {
        "PATH": "/bin",
        "GCS_CI_LOCK_BUCKET": "acme-locks",
        "GCS_CI_LOCK_REASON": "release",
        "STORAGE_EMULATOR_HOST": "http://127.0.0.1:1",
        "GITHUB_ACTIONS": "true",
        "GITLAB_CI": "true",
        "CI_JOB_ID": "7",
    }

    assert job_environ(environ, "job-1") == {"PATH": "/bin", "GCS_CI_LOCK_REASON": "job-1"}


@pytest.mark.parametrize(
    ("exit_code", "entered", "outcome"),
    [
        (None, False, "waiting"),
        (None, True, "running"),
        (0, True, "acquired"),
        (4, True, "acquired"),
        (75, False, "timeout"),
        (76, True, "lost"),
        (127, True, "failed"),
        (1, False, "failed"),
        (0, False, "failed"),
    ],
)
def test_an_exit_code_and_a_note_are_an_outcome(
    exit_code: int | None, *, entered: bool, outcome: JobOutcome
) -> None:
    assert outcome_of(exit_code, entered=entered) == outcome
