"""`gcs-ci-lock dry-run`: start the jobs, show how they take turns, and judge the result."""

import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from gcs_ci_lock.dry_run.emulator import EmbeddedServer
from gcs_ci_lock.dry_run.jobs import BUCKET, LOCK, Jobs
from gcs_ci_lock.dry_run.timeline import JobRun, Verdict, judge, picture
from gcs_ci_lock.errors import UsageError
from gcs_ci_lock.ports import Clock
from gcs_ci_lock.system.clock import SystemClock, utc_today

MOST_JOBS = 50
DEFAULT_COMMAND = ("sleep", "1")
LOOK_EVERY = 0.1


def dry_run(command: Sequence[str], *, jobs: int, as_json: bool) -> int:
    """Let jobs contend for a lock, show and judge it; return 0 if the lock worked, else 1.

    Args:
        command: what each job runs while it holds the lock; empty: sleep for a second.
        jobs: how many, 1 to 50.
        as_json: print one JSON document on standard output, and everything else on standard error.

    Raises:
        UsageError: `jobs` is out of range, or the embedded storage server is not installed.
    """
    if not 1 <= jobs <= MOST_JOBS:
        message = f"--jobs {jobs} is out of range: expected 1 to {MOST_JOBS}"
        raise UsageError(message)
    clock = SystemClock()
    console = Console(stderr=as_json, highlight=False, soft_wrap=True)
    with EmbeddedServer(clock) as server, tempfile.TemporaryDirectory() as folder:
        server.create_bucket(BUCKET)
        console.print(f'{jobs} jobs, one lock "{LOCK}" on the embedded storage server')
        running = Jobs(
            Path(folder),
            endpoint=server.endpoint,
            command=command or DEFAULT_COMMAND,
            environ=os.environ,
        )
        try:
            running.start(jobs, clock)
            runs = _watch(running, clock, console)
        finally:
            running.stop()
        failures = running.failure_lines()
    verdict = judge(runs)
    if as_json:
        print(json.dumps(document(runs, verdict, epoch=utc_today().timestamp() - clock.boottime())))
    else:
        console.print(_table(runs))
    for line in failures:
        console.print(Text(line))
    console.print(
        f"Verdict: [bold]{verdict.verdict}[/bold] ({verdict.overlaps} overlaps, {len(runs)} jobs)"
    )
    return 0 if verdict.good else 1


def document(runs: Sequence[JobRun], verdict: Verdict, *, epoch: float) -> dict[str, Any]:
    """Return a finished dry run as JSON; scripts rely on its keys.

    Args:
        runs: the jobs.
        verdict: what `judge` returned.
        epoch: seconds since the epoch at which the boot clock was 0. One offset for all, so that
            order and durations stay those of the boot clock.
    """

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


def progress(run: JobRun) -> str:
    """Return what a job is doing, for a log."""
    if run.entered is None:
        return run.outcome
    if run.left is None:
        return f"acquired, token {run.token}"
    return f"released after {run.left - run.entered:.1f}s"


def _watch(jobs: Jobs, clock: Clock, console: Console) -> list[JobRun]:
    """Show the timeline until all jobs have ended: live on a terminal, else line by line."""
    if console.is_terminal:
        _draw(jobs, clock, console)
    else:
        _print(jobs, clock, console)
    return jobs.runs()


def _draw(jobs: Jobs, clock: Clock, console: Console) -> None:
    def drawing() -> Text:
        return Text("\n".join(picture(jobs.runs(), clock.boottime())))

    with Live(console=console, auto_refresh=False) as live:
        while not jobs.finished():
            live.update(drawing(), refresh=True)
            clock.sleep(LOOK_EVERY)
        live.update(drawing(), refresh=True)


def _print(jobs: Jobs, clock: Clock, console: Console) -> None:
    began = clock.boottime()
    printed: dict[str, str] = {}
    while True:
        finished = jobs.finished()
        for run in jobs.runs():
            line = progress(run)
            if printed.get(run.job) != line:
                printed[run.job] = line
                console.print(Text(f"{clock.boottime() - began:6.1f}s  {run.job:<8} {line}"))
        if finished:
            break
        clock.sleep(LOOK_EVERY)
    for line in picture(jobs.runs(), clock.boottime()):
        console.print(Text(line))


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
