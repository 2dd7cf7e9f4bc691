"""The workers of a storm: each gets a lock and uses the resource, again and again."""

import os
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

from gcs_ci_lock.system.clock import SystemClock
from tests.chaos.figures import LOCKS, Figures, Plan
from tests.chaos.processes import forget_shared_memory, parent, send, state, with_variables
from tests.chaos.program import Job, any_job, command_line, shifting
from tests.chaos.proxy import ChaosProxy
from tests.chaos.resource import RUN, Ledger

ROOT: Final = Path(__file__).parents[2]
# Every process of a storm has its folder in this variable.
STORM: Final = "CHAOS_STORM"
LOST, TIMED_OUT, UNREACHABLE = 76, 75, 69
EXPECTED_EXITS: Final = {0, LOST, TIMED_OUT, UNREACHABLE, 128 + signal.SIGTERM}
# Those that are frozen or cut off have a port beside those that work.
PORTS_PER_WORKER: Final = 2
KILL_WITHIN: Final = 10.0


@dataclass(slots=True, kw_only=True)
class Run:
    """One attempt of a worker: the lock's process, and the command that it starts.

    Attributes:
        aside: frozen or cut off: another one works in its stead.
        frozen: with which commands it was frozen; None: it was not, or alone.
    """

    name: str
    port: int
    ledger: Ledger
    hold: float
    process: "subprocess.Popen[bytes]"
    log: Path
    disturbed: bool = False
    aside: bool = False
    frozen: tuple[int, ...] | None = None

    @property
    def pid(self) -> int:
        """Return the lock's process."""
        return self.process.pid

    @property
    def lives(self) -> bool:
        """Tell whether the lock's process has not ended."""
        return self.process.poll() is None


class Workers:
    """Keeps as many runs at work as are planned, and takes their ends to the figures."""

    def __init__(self, plan: Plan, figures: Figures, folder: Path, proxy: ChaosProxy) -> None:
        """Start nothing yet."""
        self.runs: dict[int, Run] = {}
        self.ledgers = {name: Ledger(folder / f"{name}.notes") for name in LOCKS}
        self._plan = plan
        self._figures = figures
        self._folder = folder
        self._proxy = proxy
        self._clock = SystemClock()
        self._random = Random(plan.seed)
        self._environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "LC_ALL": "C.UTF-8",
            STORM: str(folder),
        }

    @property
    def grants(self) -> int:
        """Return how often a lock was granted so far."""
        return sum(ledger.entered() for ledger in self.ledgers.values())

    def fill_up(self) -> None:
        """Account those that have ended, and start others in their stead."""
        self.account_ended()
        working = sum(not run.aside for run in self.runs.values())
        free = [port for port in self._free_ports() if not self._proxy.is_parted(port)]
        for port in free[: max(self._plan.workers - working, 0)]:
            self.runs[port] = self._started(port, any_job(self._random))

    def start_directed(self, job: Job) -> Run:
        """Start a run beside those that chance chooses, which chance does not disturb."""
        port = min(self._free_ports())
        run = self._started(port, job)
        run.disturbed = True
        self.runs[port] = run
        return run

    def account_ended(self) -> None:
        """Take the ends of all that have ended to the figures."""
        for run in [run for run in self.runs.values() if not run.lives]:
            self._account(run)
            del self.runs[run.port]

    def commands(self, run: Run) -> tuple[int, ...]:
        """Return what works under the lock of a run."""
        return tuple(pid for pid in self.processes(run) if parent(pid) == run.pid)

    def is_of(self, pid: int, run: Run) -> bool:
        """Tell whether a process is still that of this run, and no later one's."""
        return pid in self.processes(run) and state(pid) != "Z"

    def processes(self, run: Run | None = None) -> list[int]:
        """Return all that lives of this storm, or of one run."""
        of_run = {RUN: run.name} if run else {}
        return list(with_variables(**of_run, **{STORM: str(self._folder)}))

    def until(self, condition: Callable[[], bool], within: float) -> bool:
        """Wait until something is the case, and tell whether it came about in time."""
        deadline = self._clock.boottime() + within
        while not condition():
            if self._clock.boottime() >= deadline:
                return False
            self._clock.sleep(0.005)
        return True

    def kill_all(self) -> None:
        """Leave nobody."""
        seen = {run.pid for run in self.runs.values()}

        def none_is_left() -> bool:
            living = self.processes()
            seen.update(living)
            for number in living:
                send(number, signal.SIGKILL)
            return not living

        self.until(none_is_left, KILL_WITHIN)
        for run in self.runs.values():
            run.process.wait(timeout=KILL_WITHIN)
        for number in seen:
            forget_shared_memory(number)

    def _free_ports(self) -> list[int]:
        every = range(PORTS_PER_WORKER * self._plan.workers)
        return [port for port in every if port not in self.runs]

    def _started(self, port: int, job: Job) -> Run:
        self._figures.runs += 1
        shift = shifting(job.shift)
        self._figures.shifted += bool(shift)
        name = str(self._figures.runs)
        ledger, log = self.ledgers[job.lock], self._folder / f"{name}.log"
        ledger.note(name, "start")
        with log.open("wb") as output:
            process = subprocess.Popen(
                command_line(
                    job,
                    endpoint=self._proxy.endpoint(port),
                    notes=ledger.path,
                    planted=self._plan.planted,
                ),
                cwd=ROOT,
                env={**self._environ, RUN: name, **shift},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        return Run(name=name, port=port, ledger=ledger, hold=job.hold, process=process, log=log)

    def _account(self, run: Run) -> None:
        code = run.process.returncode
        figures = self._figures
        figures.losses += code == LOST
        figures.timeouts += code == TIMED_OUT
        figures.unreachable += code == UNREACHABLE
        said = run.log.read_text(errors="replace")
        run.log.unlink()
        if (code >= 0 and code not in EXPECTED_EXITS) or "Traceback" in said:
            figures.surprises.append(f"run {run.name} ended with exit code {code}: {said[-1500:]}")
        forget_shared_memory(run.pid)
