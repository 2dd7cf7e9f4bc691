"""Virtual time: one true clock, and processes whose own clocks differ from it.

Whoever waits gives the processor away; nothing else does. So a run is decided by its seed alone.
"""

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass

from greenlet import getcurrent, greenlet


class Scheduler:
    """Carries out what is due, in order of true time."""

    def __init__(self) -> None:
        self.now = 0.0
        self.hub = getcurrent()
        self.threads: list[greenlet] = []
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        self._order = itertools.count()

    def at(self, when: float, action: Callable[[], object]) -> None:
        """Let something happen at a true time, or at once if that is over."""
        heapq.heappush(self._due, (max(when, self.now), next(self._order), action))

    def run(self, until: float, *, after_each: Callable[[], object]) -> None:
        """Go on until nothing is due or the time is over."""
        while self._due and self._due[0][0] <= until:
            self.now, _, action = heapq.heappop(self._due)
            action()
            after_each()

    def end(self) -> None:
        """End the threads that wait for ever: nothing else frees what they hold."""
        self._due.clear()
        for thread in self.threads:
            thread.throw()
        self.threads.clear()


@dataclass
class Suspension:
    """One wait of one thread."""

    thread: greenlet
    over: bool = False


class Machine:
    """A process with its own clock, which can be frozen and killed."""

    def __init__(self, scheduler: Scheduler, *, offset: float, rate: float) -> None:
        self.scheduler = scheduler
        self.offset = offset
        self.rate = rate
        self.frozen_until = 0.0
        self.dead = False

    def boottime(self) -> float:
        return self.offset + self.scheduler.now * self.rate

    def sleep(self, seconds: float) -> None:
        self.suspend(seconds)

    def start(self, thread: Callable[[], object]) -> None:
        """Start a thread."""
        child = greenlet(thread, parent=self.scheduler.hub)
        self.scheduler.threads.append(child)
        self.scheduler.at(self.scheduler.now, lambda: self.wake(Suspension(child)))

    def suspend(
        self, seconds: float, waken_by: Callable[[Suspension], object] | None = None
    ) -> None:
        """Wait so many seconds of this machine's own clock, or until woken."""
        suspension = Suspension(getcurrent())
        if waken_by is not None:
            waken_by(suspension)
        # Not even "at once" takes no time: who waits for nothing for ever is seen to do so.
        when = self.scheduler.now + max(seconds, 0.001) / self.rate
        self.scheduler.at(when, lambda: self.wake(suspension))
        self.scheduler.hub.switch()

    def wake(self, suspension: Suspension) -> None:
        """Let a thread go on, as soon as the machine is not frozen; a dead one never does."""
        if self.dead or suspension.over:
            return
        if self.scheduler.now < self.frozen_until:
            self.scheduler.at(self.frozen_until, lambda: self.wake(suspension))
            return
        suspension.over = True
        suspension.thread.switch()


class Wish:
    """A `Stop` of a machine."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._set = False
        self._waiting: list[Suspension] = []

    def set(self) -> None:
        self._set = True
        scheduler = self._machine.scheduler
        for suspension in self._waiting:
            scheduler.at(scheduler.now, lambda s=suspension: self._machine.wake(s))  # type: ignore[misc]
        self._waiting.clear()

    def is_set(self) -> bool:
        return self._set

    def wait(self, seconds: float, /) -> bool:
        if not self._set:
            self._machine.suspend(seconds, self._waiting.append)
        return self._set
