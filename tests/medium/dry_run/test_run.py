"""`dry-run` as it is typed: it brings its own storage server."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.support.bucket import TestBucket
from tests.support.shell import Site

pytestmark = pytest.mark.end_to_end

FIELDS = {"job", "outcome", "token", "waited_s", "acquired_at", "released_at"}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    # Its bucket is nowhere: a dry run needs none.
    with Site(TestBucket("", "acme-locks"), tmp_path) as site:
        yield site


def test_three_jobs_take_turns(site: Site) -> None:
    ended = site.run("dry-run")

    assert ended.exit_code == 0, ended
    assert ended.stderr == b""
    assert ended.out.startswith('3 jobs, one lock "dry-run"')
    assert ended.out.endswith("Verdict: serialised (0 overlaps, 3 jobs)\n")
    for job in ("job-1", "job-2", "job-3"):
        assert f"{job}    released after 1." in ended.out
    assert site.processes() == []


def test_a_dry_run_as_data_is_one_document_and_nothing_else(site: Site) -> None:
    ended = site.run("dry-run", "--json", "--jobs", "2", "--", "sleep", "0.2")

    document = ended.document
    assert ended.exit_code == 0, ended
    assert document.keys() == {"jobs", "overlaps", "verdict"}
    assert (document["overlaps"], document["verdict"]) == (0, "serialised")
    assert [job["job"] for job in document["jobs"]] == ["job-1", "job-2"]
    assert all(job.keys() == FIELDS for job in document["jobs"])
    assert {job["outcome"] for job in document["jobs"]} == {"acquired"}
    first, second = sorted(document["jobs"], key=lambda job: job["acquired_at"])
    assert first["token"] < second["token"]
    assert first["acquired_at"] < first["released_at"] <= second["acquired_at"]
    assert first["waited_s"] < second["waited_s"]
    assert "Verdict: serialised" in ended.err


def test_jobs_run_ones_own_command_in_ones_own_folder(site: Site) -> None:
    script = 'echo "$GCS_CI_LOCK_NAME $GCS_CI_LOCK_TOKEN" >> tokens'

    ended = site.run("dry-run", "--jobs", "2", "--", "sh", "-c", script)

    assert ended.exit_code == 0, ended
    lines = [line.split() for line in (site.folder / "tokens").read_text().splitlines()]
    assert [name for name, _ in lines] == ["dry-run", "dry-run"]
    assert all(int(earlier) < int(later) for (_, earlier), (_, later) in pairwise(lines))


def test_a_command_that_fails_is_told_and_is_not_the_locks_fault(site: Site) -> None:
    script = "echo oops >&2; exit 4"

    ended = site.run("dry-run", "--jobs", "1", "--", "sh", "-c", script)

    assert ended.exit_code == 0, ended
    assert "job-1 ended with exit code 4:" in ended.out
    assert "  oops" in ended.out
    assert "Verdict: serialised (0 overlaps, 1 jobs)" in ended.out


def test_a_command_that_is_not_there_is_told_in_one_sentence(site: Site) -> None:
    ended = site.run("dry-run", "--jobs", "1", "--", "/no/such/program")

    assert ended.exit_code == 1, ended
    assert "/no/such/program" in ended.out
    assert "Verdict: incomplete" in ended.out
    assert "Traceback" not in ended.out
    assert 'File "' not in ended.out


def test_settings_for_real_locks_do_not_reach_a_dry_run(site: Site) -> None:
    environ = {
        "GCS_CI_LOCK_BUCKET": "acme-locks",
        "GCS_CI_LOCK_ENDPOINT": "http://127.0.0.1:1",
        "GCS_CI_LOCK_WAIT": "0",
        "GCS_CI_LOCK_TTL": "soon",
        "STORAGE_EMULATOR_HOST": "http://127.0.0.1:1",
        "GITHUB_ACTIONS": "true",
    }

    ended = site.run("dry-run", "--jobs", "1", "--json", "--", "true", environ=environ)

    assert ended.exit_code == 0, ended
    assert ended.document["verdict"] == "serialised"


@pytest.mark.parametrize("jobs", ["0", "-1", "51"])
def test_a_number_of_jobs_out_of_range_is_refused(site: Site, jobs: str) -> None:
    ended = site.run("dry-run", "--jobs", jobs)

    assert ended.exit_code == 2, ended
    assert ended.stdout == b""
    assert ended.err == f"gcs-ci-lock: --jobs {jobs} is out of range: expected 1 to 50\n"
