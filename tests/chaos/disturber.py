"""The disturber of a storm: it kills, freezes, cuts off and restarts the workers.

A process that is frozen is frozen with its command, as a machine or a container is. The lock's
process alone is frozen for `LOCK_ALONE` at most: its command goes on meanwhile, and only that much
is left between the latest end of a command and the take-over when the holder's clock runs at 0.9
and its rival's at 1.1 (20 / 0.9 + 3 < 30 / 1.1). Nobody is disturbed twice. Chance may take its
time, so two begin: one holder is cut off, and one frozen, for longer than a lease lasts, while a
rival waits.
"""

import math
import signal
from collections.abc import Callable, Sequence
from random import Random
from typing import Final

from gcs_ci_lock.system.clock import SystemClock
from tests.chaos.figures import Figures
from tests.chaos.processes import send, stands_still
from tests.chaos.program import LONG_HOLD, LONGEST_HOLD, Job
from tests.chaos.proxy import ChaosProxy, Manner
from tests.chaos.workers import Run, Workers

DISTURB_EVERY: Final = 1.2
# Each dead waiter delays those behind it by seconds: with more of them nobody gets anywhere.
DISTURBED_SHARE: Final = 0.3
LONGEST_STOP: Final = 45.0
LONGEST_PARTING: Final = 45.0
# Longer than a lease lasts by the slowest clock.
WHOLE_LEASE: Final = 50.0
LOCK_ALONE: Final = 3.0
# A command whose lock was killed has this long to be gone.
ORPHAN_WITHIN: Final = 5.0


class Disturber:
    """Does now this, now that to somebody who was left in peace so far."""

    def __init__(
        self, workers: Workers, figures: Figures, proxy: ChaosProxy, random: Random
    ) -> None:
        """Do nothing yet."""
        self._workers = workers
        self._figures = figures
        self._proxy = proxy
        self._random = random
        self._clock = SystemClock()
        self._next = self._clock.boottime() + 2
        self._disturbances = 0
        self._later: list[tuple[float, Callable[[], None]]] = []
        self._directed: list[tuple[Run, str, Callable[[Run, float], None]]] = []

    def begin(self) -> None:
        """Start those whose trouble is not left to chance."""
        for lock, act in (("api", self._part_for), ("web", self._freeze_for)):
            job = Job(lock=lock, hold=LONGEST_HOLD, wait=0, shift="")
            self._directed.append((self._workers.start_directed(job), lock, act))

    def go_on(self) -> None:
        """Do what is due."""
        now = self._clock.boottime()
        self._do_what_is_due(now)
        self._disturb_as_directed()
        if now >= self._next:
            self._next = now + self._random.expovariate(1 / DISTURB_EVERY)
            self._disturb()

    def end(self) -> None:
        """Wake whoever is frozen."""
        self._do_what_is_due(math.inf)

    def _disturb_as_directed(self) -> None:
        for run, lock, act in self._directed:
            if self._workers.commands(run):
                act(run, WHOLE_LEASE)
                self._workers.start_directed(Job(lock=lock, hold=1, wait=60, shift=""))
        self._directed = [one for one in self._directed if one[0].lives and not one[0].aside]

    def _disturb(self) -> None:
        if self._disturbances >= DISTURBED_SHARE * self._figures.runs:
            return
        if (run := self._victim()) is None:
            return
        self._disturbances += 1
        # Long work is rather cut off or frozen than ended.
        much, little = (6, 1) if run.hold >= LONG_HOLD else (3, 2)
        acts: dict[Callable[[Run], None], int] = {
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

    def _victim(self) -> Run | None:
        """Return one that was not disturbed yet, rather one that is inside for long."""
        fresh = [run for run in self._workers.runs.values() if run.lives and not run.disturbed]
        long = [run for run in fresh if run.hold >= LONG_HOLD and self._workers.commands(run)]
        chosen = long if long and self._random.random() < 0.5 else fresh
        return self._random.choice(chosen) if chosen else None

    def _cut(self, run: Run) -> None:
        self._figures.cuts += self._proxy.cut(run.port)

    def _part(self, run: Run) -> None:
        shortest = 25 if run.hold >= LONG_HOLD else 2
        self._part_for(run, self._random.uniform(shortest, LONGEST_PARTING))

    def _part_for(self, run: Run, seconds: float) -> None:
        self._figures.partings += 1
        run.disturbed = run.aside = True
        manner: Manner = "silent" if self._random.random() < 0.5 else "reset"
        self._proxy.part(run.port, seconds, manner)

    def _freeze(self, run: Run) -> None:
        if run.hold >= LONG_HOLD:
            seconds = self._random.uniform(0.1, LONGEST_STOP)
        else:
            seconds = 0.1 * (LONGEST_STOP / 0.1) ** self._random.random()
        self._freeze_for(run, seconds)

    def _freeze_for(self, run: Run, seconds: float) -> None:
        """Freeze the lock's process and its command, as a machine that sleeps."""
        run.disturbed = run.aside = True
        if not self._stop(run, self._workers.commands(run)):
            return
        self._figures.stops += 1
        run.ledger.note(run.name, "stop")
        self._after(seconds, lambda: self._wake(run))

    def _freeze_lock(self, run: Run) -> None:
        """Freeze the lock's process alone, while its command works on."""
        run.disturbed = True
        seconds = self._random.uniform(0.1, LOCK_ALONE)
        send(run.pid, signal.SIGSTOP)
        self._figures.stops += 1
        self._after(seconds, lambda: self._wake(run))

    def _stop(self, run: Run, known: Sequence[int]) -> bool:
        """Stop both, but not in the middle of an access: the file stays of use to the others."""
        until = self._workers.until
        send(run.pid, signal.SIGSTOP)
        # It starts no command any more once it stands still.
        if not until(lambda: stands_still(run.pid), 1.0) or not run.lives:
            send(run.pid, signal.SIGCONT)
            return False
        commands = tuple({*known, *self._workers.commands(run)})
        for _ in range(20):
            for command in commands:
                send(command, signal.SIGSTOP)
            until(lambda: all(stands_still(one) for one in commands), 1.0)
            if until(run.ledger.is_free, 0.2):
                run.frozen = commands
                return True
            for command in commands:
                send(command, signal.SIGCONT)
            self._clock.sleep(0.01)
        send(run.pid, signal.SIGCONT)
        return False

    def _wake(self, run: Run) -> None:
        if run.frozen is not None:
            run.ledger.note(run.name, "continue")
        if run.lives:
            send(run.pid, signal.SIGCONT)
        for command in run.frozen or ():
            if self._workers.is_of(command, run):
                send(command, signal.SIGCONT)
        run.frozen = None

    def _kill(self, run: Run) -> None:
        """Kill the lock's process and its command, as when a machine dies."""
        run.disturbed = True
        send(run.pid, signal.SIGSTOP)
        self._workers.until(lambda: stands_still(run.pid), 1.0)
        for command in self._workers.commands(run):
            send(command, signal.SIGKILL)
        send(run.pid, signal.SIGKILL)
        self._figures.kills += 1

    def _kill_lock(self, run: Run) -> None:
        """Kill the lock's process; the kernel tells its command."""
        run.disturbed = True
        commands = self._workers.commands(run)
        send(run.pid, signal.SIGKILL)
        self._figures.kills += 1
        self._after(ORPHAN_WITHIN, lambda: self._look_for_orphans(run, commands))

    def _look_for_orphans(self, run: Run, commands: Sequence[int]) -> None:
        def living() -> list[int]:
            return [pid for pid in commands if self._workers.is_of(pid, run)]

        self._workers.until(lambda: not living(), 2.0)
        left = living()
        self._figures.left_over += len(left)
        for pid in left:
            self._figures.surprises.append(f"run {run.name}: its command outlived its lock")
            send(pid, signal.SIGKILL)

    def _restart(self, run: Run) -> None:
        """End it in order; the worker starts again at once."""
        run.disturbed = True
        send(run.pid, signal.SIGTERM)
        self._figures.restarts += 1

    def _after(self, seconds: float, act: Callable[[], None]) -> None:
        self._later.append((self._clock.boottime() + seconds, act))

    def _do_what_is_due(self, now: float) -> None:
        due = [act for at, act in self._later if at <= now]
        self._later = [(at, act) for at, act in self._later if at > now]
        for act in due:
            act()
