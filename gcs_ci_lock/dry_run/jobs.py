"""The jobs of a dry run: real `gcs-ci-lock run` processes, and what their probes recorded."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gcs_ci_lock.dry_run.probe import NO_SUCH_PROGRAM
from gcs_ci_lock.dry_run.timeline import JobOutcome, JobRun
from gcs_ci_lock.errors import LeaseLost, NotAcquired
from gcs_ci_lock.platforms import PLATFORMS
from gcs_ci_lock.ports import Clock

LOCK = "dry-run"
BUCKET = "dry-run"
# Settings that must not reach the jobs: of real locks, of emulators, of a CI system.
_FOREIGN = (
    "GCS_CI_LOCK_",
    "STORAGE_EMULATOR_HOST",
    *(prefix for platform in PLATFORMS for prefix in platform.prefixes),
)
_OUTCOMES: Mapping[int, JobOutcome] = {
    NotAcquired.exit_code: "timeout",
    LeaseLost.exit_code: "lost",
}
_LOG_LINES = 5

Note = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    name: str
    started: float
    process: "subprocess.Popen[bytes]"


class Jobs:
    """Processes that contend for one lock.

    Args:
        folder: an empty folder for logs and notes.
        endpoint: URL of the storage server, which has the bucket `BUCKET`.
        command: what each job runs while it holds the lock.
        environ: this process's environment; settings of gcs-ci-lock and of a CI system in it do not
            reach the jobs.
    """

    def __init__(
        self, folder: Path, *, endpoint: str, command: Sequence[str], environ: Mapping[str, str]
    ) -> None:
        self._folder = folder
        self._endpoint = endpoint
        self._command = command
        self._environ = environ
        self._notes = folder / "notes.jsonl"
        self._jobs: list[_Job] = []

    def start(self, count: int, clock: Clock) -> None:
        """Start `count` jobs, named job-1, job-2 and so on."""
        for number in range(1, count + 1):
            name = f"job-{number}"
            with (self._folder / f"{name}.log").open("wb") as log:
                # This program, with the command that the user gave.
                process = subprocess.Popen(  # noqa: S603
                    [*self._lock_argv(), *self._probe_argv(name), *self._command],
                    env=job_environ(self._environ, name),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
            self._jobs.append(_Job(name=name, started=clock.boottime(), process=process))

    def runs(self) -> list[JobRun]:
        """Return what each job has done so far, in the order of their numbers."""
        notes = {(note["job"], note["event"]): note for note in self._read_notes()}
        return [
            JobRun(
                job=job.name,
                outcome=outcome_of(job.process.poll(), entered=(job.name, "enter") in notes),
                started=job.started,
                **_moments(notes.get((job.name, "enter")), notes.get((job.name, "leave"))),
            )
            for job in self._jobs
        ]

    def finished(self) -> bool:
        """Return whether all jobs have ended."""
        return all(job.process.poll() is not None for job in self._jobs)

    def stop(self) -> None:
        """Terminate the jobs that still run, and wait for all of them."""
        for job in self._jobs:
            if job.process.poll() is None:
                job.process.terminate()
        for job in self._jobs:
            job.process.wait()

    def failure_lines(self) -> list[str]:
        """Return the exit code and the last log lines of each job that failed."""
        lines = []
        for job in self._jobs:
            if job.process.returncode:
                log = (self._folder / f"{job.name}.log").read_text(errors="replace")
                lines.append(f"{job.name} ended with exit code {job.process.returncode}:")
                lines.extend(f"  {line}" for line in log.splitlines()[-_LOG_LINES:])
        return lines

    def _lock_argv(self) -> list[str]:
        program = [sys.executable, "-m", "gcs_ci_lock", "run", LOCK]
        return [*program, "--bucket", BUCKET, "--endpoint", self._endpoint, "--wait", "1h", "--"]

    def _probe_argv(self, name: str) -> list[str]:
        return [sys.executable, "-m", "gcs_ci_lock.dry_run.probe", str(self._notes), name, "--"]

    def _read_notes(self) -> list[Note]:
        if not self._notes.exists():
            return []
        return [json.loads(line) for line in self._notes.read_text().splitlines()]


def job_environ(environ: Mapping[str, str], job: str) -> dict[str, str]:
    """Return the environment of a job: without settings of real locks and of CI systems."""
    kept = {key: value for key, value in environ.items() if not key.startswith(_FOREIGN)}
    return {**kept, "GCS_CI_LOCK_REASON": job}


def outcome_of(exit_code: int | None, *, entered: bool) -> JobOutcome:
    """Return how a job stands.

    Args:
        exit_code: of `gcs-ci-lock run`; None: it still runs.
        entered: whether its command has started.
    """
    if exit_code is None:
        return "running" if entered else "waiting"
    if exit_code in _OUTCOMES:
        return _OUTCOMES[exit_code]
    if not entered or exit_code == NO_SUCH_PROGRAM:
        return "failed"
    # A command that fails is not a failure of the lock.
    return "acquired"


def _moments(enter: Note | None, leave: Note | None) -> dict[str, Any]:
    return {
        "token": enter["token"] if enter else None,
        "entered": enter["at"] if enter else None,
        "left": leave["at"] if leave else None,
    }
