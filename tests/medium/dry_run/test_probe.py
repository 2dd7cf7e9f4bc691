"""The probe that a job of a dry run runs its command through."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from gcs_ci_lock.dry_run.probe import NO_SUCH_PROGRAM
from gcs_ci_lock.system.clock import SystemClock

pytestmark = pytest.mark.example


def probe(path: Path, *command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "gcs_ci_lock.dry_run.probe", str(path), "job-1", "--", *command],
        env={"GCS_CI_LOCK_TOKEN": "41", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_notes_when_the_command_began_and_ended_and_hands_its_exit_code_on(
    tmp_path: Path,
) -> None:
    path, clock = tmp_path / "notes", SystemClock()
    before = clock.boottime()

    done = probe(path, "sh", "-c", f"cat {path}; exit 4")

    first, second = (json.loads(line) for line in path.read_text().splitlines())
    assert done.returncode == 4
    assert json.loads(done.stdout) == first
    assert (first["job"], first["event"], first["token"]) == ("job-1", "enter", 41)
    assert (second["job"], second["event"], second["token"]) == ("job-1", "leave", 41)
    assert before <= first["at"] <= second["at"] <= clock.boottime()


def test_a_program_that_is_not_there_is_told_in_one_line(tmp_path: Path) -> None:
    done = probe(tmp_path / "notes", "/no/such")

    assert done.returncode == NO_SUCH_PROGRAM
    assert done.stderr == 'cannot run "/no/such": No such file or directory\n'
    assert len((tmp_path / "notes").read_text().splitlines()) == 2
