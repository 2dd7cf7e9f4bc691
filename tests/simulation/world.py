"""One run: a seed decides the jobs, their clocks, the weather and what befalls them."""

import hashlib
import random
from collections.abc import Callable

from gcs_ci_lock.platforms.verifier import NoVerifier
from gcs_ci_lock.protocol.slots import Slots
from tests.simulation.cloud import Client, Cloud
from tests.simulation.job import Chance, Job
from tests.simulation.judge import Judge
from tests.simulation.person import Person
from tests.simulation.plans import HORIZON, PATHS, Plan, plan_of
from tests.simulation.properties import BrokenError, Seen
from tests.simulation.scheduler import Machine, Scheduler

RESTARTED = 0.5


class World:
    """A run of one seed."""

    def __init__(
        self, seed: int, *, plan: Plan | None = None, log: Callable[[str], None] | None = None
    ) -> None:
        self.random = random.Random(seed)
        self.plan = plan or plan_of(self.random)
        self.scheduler = Scheduler()
        self.cloud = Cloud(self.scheduler, self.random, self.plan.weather)
        self._digest = hashlib.sha256()
        self._log = log
        self.judge = Judge(self.cloud, PATHS.record, self.plan.expected, self.note)
        self.person = Person(self.cloud, self.judge, self.random, self.note)
        self.jobs: list[Job] = []
        for number in range(self.plan.clients):
            when = self.random.uniform(0.0, self.plan.spread)
            self.scheduler.at(when, lambda n=number: self._begin(f"job{n}"))  # type: ignore[misc]
        self._plan_accidents()

    def note(self, text: str) -> None:
        line = f"{self.scheduler.now:10.3f} {text}"
        self._digest.update(line.encode())
        if self._log is not None:
            self._log(line)

    @property
    def trace(self) -> str:
        """What happened, as one number: equal seeds have equal traces."""
        return self._digest.hexdigest()

    def run(self) -> None:
        """Run to the end.

        Raises:
            BrokenError: a property does not hold.
        """
        try:
            self.scheduler.run(HORIZON, after_each=self.judge.look)
            self.judge.finish()
        finally:
            self.scheduler.end()

    def _begin(self, name: str) -> None:
        plan, random = self.plan, self.random
        machine = Machine(
            self.scheduler,
            offset=random.uniform(0.0, plan.offsets),
            rate=random.uniform(*plan.rates),
        )
        client = Client(machine, self.cloud, self.judge, name, log=self.note)
        # The front end that this client meets has a clock of its own.
        client.behind = random.choice([0.0, random.uniform(0.0, plan.weather.stale)])
        slots = random.choice(plan.slots)
        job = Job(
            machine=machine,
            client=client,
            seen=self._seen(client, slots),
            judge=self.judge,
            random=Chance(name, random),
            hold=random.uniform(*plan.hold),
            slots=slots,
            verifier=self.judge if plan.oracle else NoVerifier(),
        )
        self.jobs.append(job)
        self.note(f"{name} begins, slots {slots}, rate {machine.rate:.3f}")

        def whole() -> None:
            try:
                job.run()
            except Exception as error:
                text = f"{name}: {type(error).__name__}: {error}"
                raise BrokenError("no crash", text) from error

        machine.start(whole)

    def _seen(self, client: Client, slots: Slots) -> Seen:
        seen = self.judge.comes(client, slots)
        if self.plan.lines:
            seen.line = f"line{self.random.randrange(self.plan.lines)}"
            seen.newest = self.random.random() < 0.7
            # Now and then an older commit comes later.
            ago = self.random.choice([0, 0, 0, 30])
            seen.sequence = self.random.choice([None, max(int(self.scheduler.now) - ago, 0)])
        return seen

    def _plan_accidents(self) -> None:
        plan, random = self.plan, self.random
        for count, accident in (
            (plan.pauses, self._pause),
            (plan.kills, self._kill),
            (plan.cancels, self._cancel),
            (plan.deletions, self.person.delete),
            (plan.evictions, self.person.evict),
            (plan.freezes, self.person.freeze),
        ):
            for _ in range(count):
                self.scheduler.at(random.uniform(1.0, 120.0), accident)

    def _somebody(self) -> Job | None:
        alive = [job for job in self.jobs if not job.seen.ended]
        # Accidents happen to holders too, though these are few.
        inside = [job for job in alive if job.seen.keeper is not None]
        among = inside if inside and self.random.random() < 0.6 else alive
        return self.random.choice(among) if among else None

    def _pause(self) -> None:
        job = self._somebody()
        if job is not None:
            seconds = self.random.uniform(0.5, self.plan.longest_pause)
            self.note(f"{job.client.name} stands still for {seconds:.1f} s")
            job.machine.frozen_until = self.scheduler.now + seconds

    def _kill(self) -> None:
        job = self._somebody()
        if job is None:
            return
        self.note(f"{job.client.name} is killed")
        job.machine.dead = True
        self.judge.dies(job.seen)
        if self.random.random() < RESTARTED:
            after = self.scheduler.now + self.random.uniform(0.0, 20.0)
            self.scheduler.at(after, lambda: self._begin(f"{job.client.name}r"))

    def _cancel(self) -> None:
        job = self._somebody()
        if job is not None:
            self.note(f"{job.client.name} is cancelled")
            job.stop.set()
