"""The storm: `python -m tests.chaos.storm --grants 500`.

Workers get locks of an embedded storage server through `ChaosProxy`, again and again, by
`gcs-ci-lock run` as a person types it, and use a fenced resource under them. A disturber kills,
freezes, cuts off and restarts them. What the resource wrote down is judged at the end: nobody may
overlap, and no token may fall.

All leases have the shortest ttl, 30 s. A process that is frozen is frozen with its command, as a
machine or a container is. The lock's process alone is frozen for `LOCK_ALONE` at most: its command
goes on meanwhile, and only that much is left between the latest end of a command and the take-over
when the holder's clock runs at 0.9 and its rival's at 1.1 (20 / 0.9 + 3 < 30 / 1.1). Nobody is
disturbed twice. Chance may take its time, so two begin: one holder is cut off, and one frozen, for
longer than a lease lasts, while a rival waits.

Where libfaketime is installed, some locks' processes live in another time. Of libfaketime 0.9.10
and Python 3.11 is known, by trying:

- It shifts every clock, the boot clock too: an offset moves the wall clock by an hour, and puts the
  boot and the monotonic clock where the shifted wall clock is, decades ahead; a rate is a rate of
  all of them.
- `time.sleep`, `select` and the time limits of sockets follow. `threading.Event.wait` does not: it
  waits by `sem_clockwait`, which libfaketime does not know, for a moment decades ahead. `_SHIFTED`
  replaces that one method by sleeping; nothing else of the program is touched.
- With FAKETIME_DONT_FAKE_MONOTONIC the boot clock is left alone, and `time.sleep` fails. It is
  not used: so the rates reach the boot clock, by which the lock counts.
- It leaves files in /dev/shm when it is killed; they are removed here.

The resource's own clock is the true one: its command is started without libfaketime.
"""

import argparse
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random  # noqa: TID251 - seeded: the disturber does the same again
from types import FrameType, TracebackType
from typing import Final, NoReturn, Self

from gcs_ci_lock.clock import SystemClock
from gcs_ci_lock.emulator import EmbeddedServer
from tests.chaos.proxy import ChaosProxy, Manner, Rates
from tests.chaos.resource import RUN, Ledger, judge

ROOT: Final = Path(__file__).parents[2]
BUCKET: Final = "acme-locks"
# Every process of a storm has its folder in this variable.
STORM: Final = "CHAOS_STORM"
LIBFAKETIME: Final = "libfaketime.so.1"
SHIFTS: Final = ("-1h", "+1h", "+0 x0.9", "+0 x1.1", "-1h x1.1", "+1h x0.9")
SHIFTED_SHARE: Final = 0.4

# Name -> slots.
LOCKS: Final = {"api": 1, "web": 1, "db": 1, "docs": 1, "jobs": 1, "pool": 3}
LOST, TIMED_OUT, UNREACHABLE = 76, 75, 69
EXPECTED_EXITS: Final = {0, LOST, TIMED_OUT, UNREACHABLE, 128 + signal.SIGTERM}

# Those that are frozen or cut off have a port beside those that work.
PORTS_PER_WORKER: Final = 2

LOOK_EVERY: Final = 0.05
COUNT_EVERY: Final = 0.5
DISTURB_EVERY: Final = 1.2
# Each dead waiter delays those behind it by seconds: with more of them nobody gets anywhere.
DISTURBED_SHARE: Final = 0.3
LONGEST_STOP: Final = 45.0
LONGEST_PARTING: Final = 45.0
# Work that outlasts a lease which nobody renews: there a lock that does not notice is found out.
LONG_HOLD: Final = 35.0
LONGEST_HOLD: Final = 55.0
# Longer than a lease lasts by the slowest clock.
WHOLE_LEASE: Final = 50.0
LOCK_ALONE: Final = 3.0
# A command whose lock was killed has this long to be gone.
ORPHAN_WITHIN: Final = 5.0
END_WITHIN: Final = 25.0
KILL_WITHIN: Final = 10.0

_SHIFTED: Final = """
import runpy, threading, time

def wait(self, timeout=None):
    until = None if timeout is None else time.monotonic() + timeout
    while not self.is_set():
        left = 0.05 if until is None else min(until - time.monotonic(), 0.05)
        if left <= 0:
            break
        time.sleep(left)
    return self.is_set()

threading.Event.wait = wait
runpy.run_module("gcs_ci_lock", run_name="__main__", alter_sys=True)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How long, and with what.

    Attributes:
        grants: the storm ends after so many.
        seconds: or after this long.
        seed: of every choice; what comes of them depends on the machine too.
        workers: locks' processes at work at a time; frozen and cut off ones come on top.
    """

    grants: float = math.inf
    seconds: float = math.inf
    seed: int = 1
    workers: int = 8


@dataclass(slots=True, kw_only=True)
class Figures:
    """What happened.

    Attributes:
        most: for each lock, the most that were inside at the same time.
        kills: of a lock's process alone or with its command.
        stops: freezings.
        cuts: connections cut by the disturber; `faults` are the proxy's own.
        partings: times that a worker was cut off for seconds.
        losses: runs that ended with exit code 76.
        shifted: runs under another clock.
        left_over: processes that outlived their lock, or the storm.
        surprises: runs that ended as none may.
    """

    seed: int
    seconds: float = 0.0
    runs: int = 0
    grants: int = 0
    overlaps: int = 0
    falling: int = 0
    refused: int = 0
    most: dict[str, int] = field(default_factory=dict)
    kills: int = 0
    stops: int = 0
    cuts: int = 0
    partings: int = 0
    restarts: int = 0
    losses: int = 0
    timeouts: int = 0
    unreachable: int = 0
    shifted: int = 0
    left_over: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    surprises: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Tell whether the locks kept their promise, and nothing was left behind."""
        return not (self.overlaps or self.falling or self.left_over)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """What a run is to do.

    Attributes:
        hold: seconds of work under the lock.
        wait: seconds to wait for it.
        shift: another clock, as libfaketime has it, or "".
    """

    lock: str
    hold: float
    wait: int
    shift: str


@dataclass(slots=True, kw_only=True)
class _Run:
    """One attempt of a worker: the lock's process, and the command that it starts."""

    name: str
    port: int
    ledger: Ledger
    hold: float
    process: "subprocess.Popen[bytes]"
    log: Path
    disturbed: bool = False
    # Frozen or cut off: another one works in its stead.
    aside: bool = False
    # With which commands it was frozen; None: it was not, or alone.
    frozen: tuple[int, ...] | None = None

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def lives(self) -> bool:
        return self.process.poll() is None


class Storm:
    """Workers and their disturber; nothing that it started outlives it."""

    def __init__(self, plan: Plan, folder: Path, proxy: ChaosProxy) -> None:
        self.plan = plan
        self.figures = Figures(seed=plan.seed)
        self._folder = folder
        self._proxy = proxy
        self._clock = SystemClock()
        self._random = Random(plan.seed)  # noqa: S311 - as above
        self._ledgers = {name: Ledger(folder / f"{name}.notes") for name in LOCKS}
        self._runs: dict[int, _Run] = {}
        self._later: list[tuple[float, Callable[[], None]]] = []
        self._directed: list[tuple[_Run, str, Callable[[_Run, float], None]]] = []
        self._disturbances = 0
        self._library = libfaketime()
        self._setpriv = shutil.which("setpriv")
        self._environ = {
            "PATH": os.environ["PATH"],  # noqa: TID251 - handed on
            "HOME": str(folder),
            "LC_ALL": "C.UTF-8",
            STORM: str(folder),
        }

    def rage(self) -> Figures:
        """Run until the plan is fulfilled, then judge."""
        began = self._clock.boot()
        next_count, next_disturbance = began, began + 2
        for port, (lock, act) in enumerate((("api", self._part_for), ("web", self._freeze_for))):
            run = self._started(port, _Job(lock=lock, hold=LONGEST_HOLD, wait=0, shift=""))
            run.disturbed = True
            self._runs[port] = run
            self._directed.append((run, lock, act))
        while (now := self._clock.boot()) < began + self.plan.seconds:
            if now >= next_count:
                if sum(ledger.entered() for ledger in self._ledgers.values()) >= self.plan.grants:
                    break
                next_count = now + COUNT_EVERY
            self._do_what_is_due(now)
            self._replace_ended()
            self._disturb_as_directed()
            if now >= next_disturbance:
                next_disturbance = now + self._random.expovariate(1 / DISTURB_EVERY)
                self._disturb()
            self._clock.sleep(LOOK_EVERY)
        self._end()
        self.figures.seconds = round(self._clock.boot() - began, 1)
        self.figures.faults = dict(sorted(self._proxy.counts.items()))
        self._judge()
        return self.figures

    # ---- workers

    def _replace_ended(self) -> None:
        for run in [run for run in self._runs.values() if not run.lives]:
            self._account(run)
            del self._runs[run.port]
        working = sum(not run.aside for run in self._runs.values())
        free = [
            port
            for port in range(PORTS_PER_WORKER * self.plan.workers)
            if port not in self._runs and not self._proxy.is_parted(port)
        ]
        for port in free[: max(self.plan.workers - working, 0)]:
            self._runs[port] = self._started(port, _any_job(self._random))

    def _started(self, port: int, job: _Job) -> _Run:
        lock, shift = job.lock, job.shift
        self.figures.runs += 1
        name = str(self.figures.runs)
        ledger, log = self._ledgers[lock], self._folder / f"{name}.log"
        where = ["--bucket", f"gs://{BUCKET}/storm", "--endpoint", self._proxy.endpoint(port)]
        how = ["--ttl", "30s", "--wait", f"{job.wait}s", "--slots", str(LOCKS[lock])]
        fence = ["--unfenced"] if LOCKS[lock] > 1 else []
        argv = [
            *(["setpriv", "--pdeathsig", "KILL", "--"] if self._setpriv else []),
            *(sys.executable, *self._program(shift), "run", lock, *where, *how, "--"),
            *("env", "-u", "LD_PRELOAD", sys.executable, "-m", "tests.chaos.resource"),
            *(str(self._folder / f"{lock}.notes"), str(job.hold), *fence),
        ]
        ledger.note(name, "start")
        with log.open("wb") as output:
            # Our own program and our own command.
            process = subprocess.Popen(  # noqa: S603
                argv,
                cwd=ROOT,
                env={**self._environ, RUN: name, **self._shifting(shift)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        return _Run(name=name, port=port, ledger=ledger, hold=job.hold, process=process, log=log)

    def _program(self, shift: str) -> list[str]:
        return ["-c", _SHIFTED] if shift and self._library else ["-m", "gcs_ci_lock"]

    def _shifting(self, shift: str) -> dict[str, str]:
        if not shift or not self._library:
            return {}
        self.figures.shifted += 1
        # Files' times stay true: compiled bytecode is judged by them.
        return {"LD_PRELOAD": str(self._library), "FAKETIME": shift, "NO_FAKE_STAT": "1"}

    def _account(self, run: _Run) -> None:
        """Take the end of a run to the figures."""
        code = run.process.returncode
        figures = self.figures
        figures.losses += code == LOST
        figures.timeouts += code == TIMED_OUT
        figures.unreachable += code == UNREACHABLE
        said = run.log.read_text(errors="replace")
        run.log.unlink()
        if (code >= 0 and code not in EXPECTED_EXITS) or "Traceback" in said:
            figures.surprises.append(f"run {run.name} ended with exit code {code}: {said[-1500:]}")
        _forget_shared_memory(run.pid)

    # ---- the disturber

    def _disturb(self) -> None:
        if self._disturbances >= DISTURBED_SHARE * self.figures.runs:
            return
        if (run := self._victim()) is None:
            return
        self._disturbances += 1
        # Long work is rather cut off or frozen than ended.
        much, little = (6, 1) if run.hold >= LONG_HOLD else (3, 2)
        acts: dict[Callable[[_Run], None], int] = {
            self._cut: 2 * much,
            self._part: 2 * much,
            self._freeze: 2 * much,
            self._freeze_lock: much,
            self._kill: 2 * little,
            self._kill_lock: 2 * little,
            self._restart: 2 * little,
        }
        (act,) = self._random.choices(list(acts), list(acts.values()))
        act(run)

    def _victim(self) -> _Run | None:
        """Return one that was not disturbed yet, rather one that is inside for long."""
        fresh = [run for run in self._runs.values() if run.lives and not run.disturbed]
        long = [run for run in fresh if run.hold >= LONG_HOLD and self._command(run)]
        chosen = long if long and self._random.random() < 0.5 else fresh
        return self._random.choice(chosen) if chosen else None

    def _cut(self, run: _Run) -> None:
        self.figures.cuts += self._proxy.cut(run.port)

    def _disturb_as_directed(self) -> None:
        for run, lock, act in self._directed:
            if self._command(run):
                act(run, WHOLE_LEASE)
                port = min(set(range(PORTS_PER_WORKER * self.plan.workers)) - set(self._runs))
                rival = self._started(port, _Job(lock=lock, hold=1, wait=60, shift=""))
                rival.disturbed = True
                self._runs[port] = rival
        self._directed = [one for one in self._directed if one[0].lives and not one[0].aside]

    def _part(self, run: _Run) -> None:
        shortest = 25 if run.hold >= LONG_HOLD else 2
        self._part_for(run, self._random.uniform(shortest, LONGEST_PARTING))

    def _part_for(self, run: _Run, seconds: float) -> None:
        self.figures.partings += 1
        run.disturbed = run.aside = True
        manner: Manner = "silent" if self._random.random() < 0.5 else "reset"
        self._proxy.part(run.port, seconds, manner)

    def _freeze(self, run: _Run) -> None:
        if run.hold >= LONG_HOLD:
            seconds = self._random.uniform(0.1, LONGEST_STOP)
        else:
            seconds = 0.1 * (LONGEST_STOP / 0.1) ** self._random.random()
        self._freeze_for(run, seconds)

    def _freeze_for(self, run: _Run, seconds: float) -> None:
        """Freeze the lock's process and its command, as a machine that sleeps."""
        run.disturbed = run.aside = True
        if not self._stop(run, self._command(run)):
            return
        self.figures.stops += 1
        run.ledger.note(run.name, "stop")
        self._after(seconds, lambda: self._wake(run))

    def _freeze_lock(self, run: _Run) -> None:
        """Freeze the lock's process alone, while its command works on."""
        run.disturbed = True
        seconds = self._random.uniform(0.1, LOCK_ALONE)
        _send(run.pid, signal.SIGSTOP)
        self.figures.stops += 1
        self._after(seconds, lambda: self._wake(run))

    def _stop(self, run: _Run, known: Sequence[int]) -> bool:
        """Stop both, but not in the middle of an access: the file stays of use to the others."""
        _send(run.pid, signal.SIGSTOP)
        # It starts no command any more once it stands still.
        if not self._until(lambda: _state(run.pid) in "TZ", 1.0) or not run.lives:
            _send(run.pid, signal.SIGCONT)
            return False
        commands = tuple({*known, *self._command(run)})
        for _ in range(20):
            for command in commands:
                _send(command, signal.SIGSTOP)
            self._until(lambda: all(_state(one) in "TZ" for one in commands), 1.0)
            if self._until(run.ledger.is_free, 0.2):
                run.frozen = commands
                return True
            for command in commands:
                _send(command, signal.SIGCONT)
            self._clock.sleep(0.01)
        _send(run.pid, signal.SIGCONT)
        return False

    def _wake(self, run: _Run) -> None:
        if run.frozen is not None:
            run.ledger.note(run.name, "continue")
        if run.lives:
            _send(run.pid, signal.SIGCONT)
        for command in run.frozen or ():
            if self._is_ours(command, run):
                _send(command, signal.SIGCONT)
        run.frozen = None

    def _kill(self, run: _Run) -> None:
        """Kill the lock's process and its command, as when a machine dies."""
        run.disturbed = True
        _send(run.pid, signal.SIGSTOP)
        self._until(lambda: _state(run.pid) in "TZ", 1.0)
        for command in self._command(run):
            _send(command, signal.SIGKILL)
        _send(run.pid, signal.SIGKILL)
        self.figures.kills += 1

    def _kill_lock(self, run: _Run) -> None:
        """Kill the lock's process; the kernel tells its command."""
        run.disturbed = True
        commands = self._command(run)
        _send(run.pid, signal.SIGKILL)
        self.figures.kills += 1
        self._after(ORPHAN_WITHIN, lambda: self._look_for_orphans(run, commands))

    def _look_for_orphans(self, run: _Run, commands: Sequence[int]) -> None:
        def living() -> list[int]:
            return [pid for pid in commands if self._is_ours(pid, run)]

        self._until(lambda: not living(), 2.0)
        left = living()
        self.figures.left_over += len(left)
        for pid in left:
            self.figures.surprises.append(f"run {run.name}: its command outlived its lock")
            _send(pid, signal.SIGKILL)

    def _restart(self, run: _Run) -> None:
        """End it in order; the worker starts again at once."""
        run.disturbed = True
        _send(run.pid, signal.SIGTERM)
        self.figures.restarts += 1

    def _command(self, run: _Run) -> tuple[int, ...]:
        return tuple(pid for pid in self._processes(run.name) if _parent(pid) == run.pid)

    def _is_ours(self, pid: int, run: _Run) -> bool:
        return pid in self._processes(run.name) and _state(pid) != "Z"

    def _after(self, seconds: float, act: Callable[[], None]) -> None:
        self._later.append((self._clock.boot() + seconds, act))

    def _do_what_is_due(self, now: float) -> None:
        due = [act for at, act in self._later if at <= now]
        self._later = [(at, act) for at, act in self._later if at > now]
        for act in due:
            act()

    # ---- the end

    def _end(self) -> None:
        """Let the weather clear, tell everybody to stop, and count who does not."""
        self._proxy.calm()
        self._do_what_is_due(math.inf)
        for run in self._runs.values():
            if run.lives:
                _send(run.pid, signal.SIGTERM)
        self._until(lambda: not any(run.lives for run in self._runs.values()), END_WITHIN)
        self._until(lambda: not self._processes(), 1.0)
        left = self._processes()
        self.figures.left_over += len(left)
        self.figures.surprises.extend(f"left over: {_command_line(pid)}" for pid in left)
        for run in [run for run in self._runs.values() if not run.lives]:
            self._account(run)
            del self._runs[run.port]

    def _judge(self) -> None:
        figures = self.figures
        for name, ledger in self._ledgers.items():
            verdict = judge(ledger.notes(), slots=LOCKS[name])
            figures.grants += verdict.grants
            figures.overlaps += verdict.overlaps
            figures.falling += verdict.falling
            figures.refused += verdict.refused
            figures.most[name] = verdict.most

    def _until(self, condition: Callable[[], bool], within: float) -> bool:
        deadline = self._clock.boot() + within
        while not condition():
            if self._clock.boot() >= deadline:
                return False
            self._clock.sleep(0.005)
        return True

    def _processes(self, run: str = "") -> list[int]:
        """Return all that lives of this storm, or of one run."""
        mark = f"{RUN}={run}".encode() if run else f"{STORM}={self._folder}".encode()
        storm = f"{STORM}={self._folder}".encode()
        numbers = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal())
        return [n for n in numbers if {mark, storm} <= set(_read(n, "environ").split(b"\0"))]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        seen = {run.pid for run in self._runs.values()}

        def none_is_left() -> bool:
            living = self._processes()
            seen.update(living)
            for number in living:
                _send(number, signal.SIGKILL)
            return not living

        self._until(none_is_left, KILL_WITHIN)
        for run in self._runs.values():
            run.process.wait(timeout=KILL_WITHIN)
        for number in seen:
            _forget_shared_memory(number)


def _any_job(random: Random) -> _Job:
    return _Job(
        lock=random.choice(list(LOCKS)),
        hold=_any_hold(random),
        wait=random.choice((0, 5, 10, 20)),
        shift=random.choice(SHIFTS) if random.random() < SHIFTED_SHARE else "",
    )


def _any_hold(random: Random) -> float:
    """Return seconds of work: mostly little, sometimes more than a lease lasts unrenewed."""
    kind = random.random()
    if kind < 0.8:
        return round(random.uniform(0.05, 0.3), 2)
    if kind < 0.97:
        return round(random.uniform(0.5, 3), 2)
    return round(random.uniform(LONG_HOLD, LONGEST_HOLD), 2)


def _forget_shared_memory(pid: int) -> None:
    for name in (f"faketime_shm_{pid}", f"sem.faketime_sem_{pid}"):
        Path("/dev/shm", name).unlink(missing_ok=True)  # noqa: S108 - where libfaketime has it


def _send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _read(pid: int, what: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{what}").read_bytes()
    except OSError:
        # It has ended meanwhile, or belongs to somebody else.
        return b""


def _stat(pid: int) -> list[bytes]:
    """Return what follows the name: the state, the parent."""
    return _read(pid, "stat").rpartition(b")")[2].split()


def _state(pid: int) -> str:
    """Return its letter; one that is gone is a zombie of the past."""
    words = _stat(pid)
    return words[0].decode() if words else "Z"


def _parent(pid: int) -> int:
    words = _stat(pid)
    return int(words[1]) if words else 0


def _command_line(pid: int) -> str:
    return _read(pid, "cmdline").replace(b"\0", b" ").decode(errors="replace")[:300]


def libfaketime() -> Path | None:
    """Return where Debian's package puts it, or None."""
    found = sorted(Path("/usr/lib").glob(f"*/faketime/{LIBFAKETIME}"))
    return found[0] if found else None


def storm(plan: Plan) -> Figures:
    """Let a storm rage, and return what it did; nothing of it is left."""
    with (
        tempfile.TemporaryDirectory(prefix="chaos-") as folder,
        EmbeddedServer(SystemClock()) as server,
    ):
        server.create_bucket(BUCKET)
        with (
            ChaosProxy(
                server.endpoint,
                ports=PORTS_PER_WORKER * plan.workers,
                seed=plan.seed,
                rates=Rates(),
            ) as proxy,
            Storm(plan, Path(folder), proxy) as raging,
        ):
            return raging.rage()


def people(figures: Figures) -> str:
    """Return the figures as a person reads them."""
    most = ", ".join(f"{name} {number} of {LOCKS[name]}" for name, number in figures.most.items())
    faults = Counter(figures.faults)
    lines = [f"surprise: {one}\n" for one in figures.surprises]
    lines += (
        f"{figures.grants} grants in {figures.runs} runs, {figures.seconds:g} s, ",
        f"seed {figures.seed}; {figures.shifted} runs under another clock\n",
        f"disturbed by {figures.kills} kills, {figures.stops} stops, {figures.cuts} cuts, ",
        f"{figures.partings} partings, {figures.restarts} restarts, ",
        f"{faults.total()} faults of the proxy\n",
        f"{figures.losses} losses, {figures.timeouts} timeouts, ",
        f"{figures.unreachable} unreachable, {figures.refused} accesses refused by the fence\n",
        f"most inside: {most}\n",
        f"overlaps {figures.overlaps}, falling tokens {figures.falling}, ",
        f"processes left over {figures.left_over}: {'good' if figures.good else 'BROKEN'}\n",
    )
    return "".join(lines)


def _interrupted(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def main() -> int:
    """Rage, print one line of JSON, and lines for people on standard error."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.storm")
    parser.add_argument("--grants", type=int, help="end after so many (500 without --seconds)")
    parser.add_argument("--seconds", type=float, default=math.inf, help="end after this long")
    parser.add_argument("--seed", type=int, default=1, help="of every choice")
    options = parser.parse_args()
    endless = options.grants is None and options.seconds == math.inf
    grants = 500 if endless else options.grants or math.inf
    signal.signal(signal.SIGTERM, _interrupted)
    if libfaketime() is None:
        sys.stderr.write("libfaketime is not installed: all clocks are true ones\n")
    try:
        figures = storm(Plan(grants=grants, seconds=options.seconds, seed=options.seed))
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    sys.stdout.write(json.dumps(asdict(figures)) + "\n")
    sys.stdout.flush()
    sys.stderr.write(people(figures))
    return 0 if figures.good else 1


if __name__ == "__main__":
    sys.exit(main())
