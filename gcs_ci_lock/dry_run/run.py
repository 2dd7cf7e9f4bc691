"""N jobs contending for one lock on this machine, as processes, on the embedded storage server."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from gcs_ci_lock.dry_run.emulator import EmbeddedServer
from gcs_ci_lock.dry_run.probe import NO_SUCH_PROGRAM
from gcs_ci_lock.dry_run.timeline import JobRun, Verdict, judge, picture
from gcs_ci_lock.errors import NotAcquired, UsageError
from gcs_ci_lock.platforms import PLATFORMS
from gcs_ci_lock.system.clock import SystemClock, utc_today

LOCK = "dry-run"
BUCKET = "dry-run"
MOST_JOBS = 50
DEFAULT_COMMAND = ("sleep", "1")
LOOK_EVERY = 0.1
_OUTCOMES = {NotAcquired.exit_code: "timeout", 76: "lost"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    name: str
    started: float
    process: subprocess.Popen[bytes]


def dry_run(command: Sequence[str], *, jobs: int, as_json: bool) -> int:
    """Let jobs contend, show it, and judge it; return the exit code.

    Args:
        command: what each job runs inside the lock; empty: sleep for a second.
        jobs: how many, 1 to 50.
        as_json: print one JSON document on standard output, and nothing else there.

    Raises:
        UsageError: too many or too few jobs, or there is no embedded server.
    """
    if not 1 <= jobs <= MOST_JOBS:
        message = f"--jobs {jobs} is out of range: expected 1 to {MOST_JOBS}"
        raise UsageError(message)
    clock = SystemClock()
    console = Console(stderr=as_json, highlight=False, soft_wrap=True)
    with EmbeddedServer(clock) as server, tempfile.TemporaryDirectory() as folder:
        server.create_bucket(BUCKET)
        console.print(f'{jobs} jobs, one lock "{LOCK}" on the embedded storage server')
        running = _Running(
            Path(folder), endpoint=server.endpoint, command=command or DEFAULT_COMMAND
        )
        try:
            running.start(jobs, clock)
            runs = _watch(running, clock, console)
        finally:
            running.end()
        complaints = running.complaints()
    verdict = judge(runs)
    if as_json:
        print(json.dumps(_document(runs, verdict, clock)))
    else:
        console.print(_table(runs))
    for line in complaints:
        console.print(Text(line))
    console.print(
        f"Verdict: [bold]{verdict.verdict}[/bold] ({verdict.overlaps} overlaps, {len(runs)} jobs)"
    )
    return 0 if verdict.good else 1


class _Running:
    """The jobs' processes, and what their witnesses noted."""

    def __init__(self, folder: Path, *, endpoint: str, command: Sequence[str]) -> None:
        self._folder = folder
        self._endpoint = endpoint
        self._command = command
        self._notes = folder / "notes.jsonl"
        self._jobs: list[_Job] = []

    def start(self, count: int, clock: SystemClock) -> None:
        for number in range(1, count + 1):
            name = f"job-{number}"
            with (self._folder / f"{name}.log").open("wb") as log:
                # Our own program, with the command that the user gave.
                process = subprocess.Popen(  # noqa: S603
                    [*self._lock_argv(), *self._witness_argv(name), *self._command],
                    env=_clean(os.environ, name),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
            self._jobs.append(_Job(name=name, started=clock.boottime(), process=process))

    def _lock_argv(self) -> list[str]:
        program = [sys.executable, "-m", "gcs_ci_lock", "run", LOCK]
        return [*program, "--bucket", BUCKET, "--endpoint", self._endpoint, "--wait", "1h", "--"]

    def _witness_argv(self, name: str) -> list[str]:
        return [sys.executable, "-m", "gcs_ci_lock.dry_run.probe", str(self._notes), name, "--"]

    def job_runs(self) -> list[JobRun]:
        notes = {(n["job"], n["event"]): n for n in self._read_notes()}
        return [
            _turn(job, notes.get((job.name, "enter")), notes.get((job.name, "leave")))
            for job in self._jobs
        ]

    def _read_notes(self) -> list[dict[str, object]]:
        if not self._notes.exists():
            return []
        lines = self._notes.read_text().splitlines()
        return [json.loads(line) for line in lines]

    def finished(self) -> bool:
        return all(job.process.poll() is not None for job in self._jobs)

    def end(self) -> None:
        for job in self._jobs:
            if job.process.poll() is None:
                job.process.terminate()
        for job in self._jobs:
            job.process.wait()

    def complaints(self) -> list[str]:
        """Return the last lines of the jobs that did not end well."""
        lines = []
        for job in self._jobs:
            if job.process.returncode:
                log = (self._folder / f"{job.name}.log").read_text(errors="replace")
                lines.append(f"{job.name} ended with exit code {job.process.returncode}:")
                lines.extend(f"  {line}" for line in log.splitlines()[-5:])
        return lines


def _turn(
    job: _Job, enter: Mapping[str, object] | None, leave: Mapping[str, object] | None
) -> JobRun:
    code = job.process.poll()
    if code is None:
        outcome = "waiting" if enter is None else "running"
    elif code in _OUTCOMES:
        outcome = _OUTCOMES[code]
    elif enter is None or code == NO_SUCH_PROGRAM:
        outcome = "failed"
    else:
        # The command's own failure is not the lock's.
        outcome = "acquired"
    return JobRun(
        job=job.name,
        outcome=outcome,
        token=_integer(enter),
        started=job.started,
        entered=_moment(enter),
        left=_moment(leave),
    )


def _integer(note: Mapping[str, object] | None) -> int | None:
    token = note["token"] if note else None
    return token if isinstance(token, int) else None


def _moment(note: Mapping[str, object] | None) -> float | None:
    at = note["at"] if note else None
    return at if isinstance(at, float) else None


def _clean(environ: Mapping[str, str], job: str) -> dict[str, str]:
    """Return an environment in which nothing but our own options speaks to the jobs."""
    of_ci = (prefix for platform in PLATFORMS for prefix in platform.prefixes)
    foreign = ("GCS_CI_LOCK_", "STORAGE_EMULATOR_HOST", *of_ci)
    kept = {key: value for key, value in environ.items() if not key.startswith(foreign)}
    return {**kept, "GCS_CI_LOCK_REASON": job}


def _watch(running: _Running, clock: SystemClock, console: Console) -> list[JobRun]:
    """Show the timeline until all jobs have ended: live on a terminal, else line by line."""
    began = clock.boottime()
    if console.is_terminal:
        with Live(console=console, auto_refresh=False) as live:
            while not running.finished():
                live.update(_live_picture(running, clock), refresh=True)
                clock.sleep(LOOK_EVERY)
            live.update(_live_picture(running, clock), refresh=True)
        return running.job_runs()
    told: dict[str, str] = {}
    while True:
        finished = running.finished()
        for run in running.job_runs():
            line = _news(run)
            if told.get(run.job) != line:
                told[run.job] = line
                console.print(Text(f"{clock.boottime() - began:6.1f}s  {run.job:<8} {line}"))
        if finished:
            break
        clock.sleep(LOOK_EVERY)
    for line in picture(running.job_runs(), clock.boottime()):
        console.print(Text(line))
    return running.job_runs()


def _live_picture(running: _Running, clock: SystemClock) -> Text:
    return Text("\n".join(picture(running.job_runs(), clock.boottime())))


def _news(run: JobRun) -> str:
    if run.entered is None:
        return run.outcome
    if run.left is None:
        return f"acquired, token {run.token}"
    return f"released after {run.left - run.entered:.1f}s"


def _table(runs: Sequence[JobRun]) -> Table:
    table = Table("job", "waited", "held", "token")
    for run in sorted(runs, key=lambda t: (t.entered is None, t.entered or 0.0)):
        waited = f"{run.entered - run.started:.1f}s" if run.entered is not None else "-"
        held = (
            f"{run.left - run.entered:.1f}s"
            if run.entered is not None and run.left is not None
            else run.outcome
        )
        table.add_row(run.job, waited, held, str(run.token or "-"))
    return table


def _document(runs: Sequence[JobRun], verdict: Verdict, clock: SystemClock) -> dict[str, object]:
    # One offset for all: the order and the lengths stay those of the boot clock.
    epoch = utc_today().timestamp() - clock.boottime()

    def moment(boot: float | None) -> float | None:
        return None if boot is None else round(boot + epoch, 3)

    jobs = [
        {
            "job": run.job,
            "outcome": run.outcome,
            "token": run.token,
            "waited_s": None if run.entered is None else round(run.entered - run.started, 3),
            "acquired_at": moment(run.entered),
            "released_at": moment(run.left),
        }
        for run in runs
    ]
    return {"jobs": jobs, "overlaps": verdict.overlaps, "verdict": verdict.verdict}
