"""A dry run's drawing and verdict: pure functions of what the probes recorded."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

WIDTH = 48

JobOutcome = Literal["waiting", "running", "acquired", "timeout", "lost", "failed"]
JudgedAs = Literal["serialised", "overlapped", "tokens fell", "incomplete"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRun:
    """One job of a dry run.

    Attributes:
        token: the fencing token, or None.
        started: boot clock at which the job was started.
        entered: boot clock at which its command began, or None.
        left: boot clock at which its command ended, or None.
    """

    job: str
    outcome: JobOutcome
    token: int | None
    started: float
    entered: float | None
    left: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a dry run showed.

    Attributes:
        overlaps: pairs of jobs whose commands ran at the same time.
        verdict: "serialised", or what went wrong.
    """

    overlaps: int
    verdict: JudgedAs

    @property
    def good(self) -> bool:
        """Return whether the jobs took turns."""
        return self.verdict == "serialised"


def judge(runs: Sequence[JobRun]) -> Verdict:
    """Judge a finished dry run: did commands overlap, did the fencing tokens rise?"""
    inside = sorted((t.entered, _left(t), t.token or 0) for t in runs if t.entered is not None)
    overlaps = sum(
        later[0] < earlier[1]
        for index, earlier in enumerate(inside)
        for later in inside[index + 1 :]
    )
    rising = all(earlier[2] < later[2] for earlier, later in pairwise(inside))
    verdict: JudgedAs
    if overlaps:
        verdict = "overlapped"
    elif not rising:
        verdict = "tokens fell"
    elif any(t.left is None or t.outcome == "failed" for t in runs):
        verdict = "incomplete"
    else:
        verdict = "serialised"
    return Verdict(overlaps=overlaps, verdict=verdict)


def _left(run: JobRun) -> float:
    if run.left is not None:
        return run.left
    # The moment at which a killed job stopped is unknown.
    return math.inf if run.outcome == "running" else run.entered or 0.0


def picture(runs: Sequence[JobRun], now: float) -> list[str]:
    """Return one bar per job: dots while it waits, # while it holds the lock.

    Args:
        runs: the jobs, in order.
        now: boot clock at the right edge.
    """
    if not runs:
        return []
    begin = min(t.started for t in runs)
    scale = WIDTH / max(now - begin, 0.001)

    def column(at: float | None) -> int:
        return WIDTH if at is None else min(max(round((at - begin) * scale), 0), WIDTH)

    lines = []
    for run in runs:
        started, entered = column(run.started), column(run.entered)
        left = column(run.left) if run.entered is not None else entered
        # A short hold stays visible.
        held = max(left - entered, 1) if run.entered is not None else 0
        entered = min(entered, WIDTH - held)
        bar = " " * min(started, entered) + "." * (entered - started) + "#" * held
        token = f"token {run.token}" if run.token else ""
        lines.append(f"{run.job:<8} |{bar[:WIDTH]:<{WIDTH}}| {run.outcome:<8} {token}".rstrip())
    return lines
