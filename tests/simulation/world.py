"""One run: a seed decides the jobs, their clocks, the weather and what befalls them."""

import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from gcs_ci_lock.core.names import Location, LockPaths
from gcs_ci_lock.core.outcome import Acquired
from gcs_ci_lock.core.record import UNLIMITED, Owner, Slots
from gcs_ci_lock.core.request import LockRequest
from gcs_ci_lock.core.situation import Situation
from gcs_ci_lock.core.timing import Timing
from gcs_ci_lock.errors import LockError
from gcs_ci_lock.handed import release
from gcs_ci_lock.keeper import Keeper
from gcs_ci_lock.lock import Lock
from gcs_ci_lock.waiting import Waiter
from tests.simulation.cloud import Client, Cloud, Weather
from tests.simulation.judge import BrokenError, Expected, Judge, Seen
from tests.simulation.scheduler import Machine, Scheduler, Wish

PATHS = LockPaths(location=Location(bucket="acme-locks", prefix="locks"), name="prod")
TTL = 30.0
LOOK_EVERY = 0.5
HORIZON = 3_600.0


@dataclass(frozen=True)
class Plan:
    """What one seed brings."""

    weather: Weather
    expected: Expected
    slots: tuple[Slots, ...]
    clients: int
    spread: float
    rates: tuple[float, float] = (1.0, 1.0)
    freezes: int = 0
    longest_freeze: float = 0.0
    kills: int = 0
    cancels: int = 0
    deletions: int = 0
    hold: tuple[float, float] = (0.5, 20.0)


def plan_of(chance: random.Random) -> Plan:
    """Choose one of four kinds of run."""
    slots: tuple[Slots, ...] = chance.choice(
        [(1,), (1,), (2,), (3,), (1, UNLIMITED), (1, 2, 3, UNLIMITED)]
    )
    clients = chance.randint(2, 6)
    match chance.choice(["calm", "lossy", "stormy", "stormy", "operator"]):
        case "calm":
            return Plan(
                weather=Weather(),
                expected=Expected(calm=True, no_loss=True, all_enter=True),
                slots=slots,
                clients=clients,
                spread=20.0,
            )
        case "lossy":
            # Answers are lost, but never two in a row: nobody may lose a lease by that alone.
            # Several holders also take each other's writes, and the server's allowance.
            return Plan(
                weather=Weather(faults=0.25, row=1),
                expected=Expected(calm=False, no_loss=slots == (1,), all_enter=True),
                slots=slots,
                clients=clients,
                spread=20.0,
                hold=(0.5, 60.0),
            )
        case "operator":
            return Plan(
                weather=Weather(faults=0.05),
                expected=Expected(calm=False, no_loss=False, all_enter=True),
                slots=slots,
                clients=clients,
                spread=30.0,
                deletions=chance.randint(1, 2),
            )
        case _:
            return Plan(
                weather=Weather(faults=chance.choice([0.0, 0.1, 0.3]), stale=TTL / 6),
                expected=Expected(calm=False, no_loss=False, all_enter=True),
                slots=slots,
                clients=clients,
                spread=30.0,
                rates=chance.choice([(0.8, 1.0), (1.0, 1.25), (1.0, 1.0)]),
                freezes=chance.randint(0, 4),
                longest_freeze=chance.choice([10.0, 60.0, 300.0]),
                kills=chance.randint(0, 2),
                cancels=chance.randint(0, 2),
                hold=(0.5, 60.0),
            )


class _Chance:
    """Lease ids that can be read, and the seed's own numbers."""

    def __init__(self, name: str, chance: random.Random) -> None:
        self._name = name
        self._chance = chance
        self._count = 0

    def fraction(self) -> float:
        return self._chance.random()

    def lease_id(self) -> str:
        self._count += 1
        return f"{self._name}-{self._count}"


@dataclass
class _Observer:
    seen: Seen

    def asking(self, lease: str) -> None:
        self.seen.leases.append(lease)

    def waiting(self, situation: Situation) -> None:
        return


@dataclass
class Job:
    """One job: it waits, works under the lock, and releases, as `gcs-ci-lock run` does."""

    machine: Machine
    client: Client
    seen: Seen
    judge: Judge
    chance: _Chance
    hold: float
    slots: Slots
    stop: Wish = field(init=False)

    def __post_init__(self) -> None:
        self.stop = Wish(self.machine)

    def run(self) -> None:
        timing = Timing.for_ttl(TTL)
        lock = Lock(
            PATHS,
            store=self.client,
            clock=self.machine,
            server_clock=self.client.server_clock,
            timing=timing,
        )
        request = LockRequest(
            paths=PATHS, owner=Owner(), slots=self.slots, wait=HORIZON, timing=timing
        )
        waiter = Waiter(
            lock, request, chance=self.chance, stop=self.stop, observer=_Observer(self.seen)
        )
        try:
            outcome = waiter.run()
        except LockError as error:
            self.judge.ends(self.seen, str(error), clean=not waiter.leaves_something)
            return
        if not isinstance(outcome, Acquired):
            self.judge.ends(self.seen, "stopped", clean=not waiter.leaves_something)
            return
        keeper = Keeper(
            lock,
            outcome.tenure,
            chance=self.chance,
            max_hold=HORIZON,
            began=outcome.tenure.sent_at,
        )
        self.judge.enters(self.seen, keeper)
        over = Wish(self.machine)
        kept = Wish(self.machine)
        self.machine.start(lambda: _keep(keeper, over, kept))
        reason = self._work(keeper)
        self.judge.leaves(self.seen, lost=reason)
        over.set()
        while not kept.is_set():
            kept.wait(60.0)
        try:
            release(lock, outcome.tenure.lease, chance=self.chance)
        except LockError as error:
            self.judge.ends(self.seen, str(error), clean=False)
        else:
            self.judge.ends(self.seen, "released", clean=True)

    def _work(self, keeper: Keeper) -> str:
        """Work until it is done, or the lease is lost; return why it was."""
        until = self.machine.boot() + self.hold
        while not self.stop.is_set() and self.machine.boot() < until:
            self.stop.wait(min(LOOK_EVERY, until - self.machine.boot()))
            lost = keeper.lost()
            if lost is not None:
                return lost.reason
        return ""


def _keep(keeper: Keeper, over: Wish, kept: Wish) -> None:
    keeper.keep(over)
    kept.set()


class World:
    """A run of one seed."""

    def __init__(self, seed: int, *, log: Callable[[str], None] | None = None) -> None:
        self.chance = random.Random(seed)
        self.plan = plan_of(self.chance)
        self.scheduler = Scheduler()
        self.cloud = Cloud(self.scheduler, self.chance, self.plan.weather)
        self.judge = Judge(self.cloud, self.plan.expected)
        self._digest = hashlib.sha256()
        self._log = log
        self.jobs: list[Job] = []
        for number in range(self.plan.clients):
            when = self.chance.uniform(0.0, self.plan.spread)
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
        self.scheduler.run(HORIZON, after_each=self.judge.look)
        record = self.cloud.bucket.objects.get(PATHS.record)
        self.judge.finish(record.body if record else None)

    def _begin(self, name: str) -> None:
        plan, chance = self.plan, self.chance
        machine = Machine(
            self.scheduler,
            offset=chance.uniform(0.0, 1e6),
            rate=chance.uniform(*plan.rates),
        )
        client = Client(machine, self.cloud, self.judge, name, log=self.note)
        slots = chance.choice(plan.slots)
        job = Job(
            machine=machine,
            client=client,
            seen=self.judge.comes(client, slots),
            judge=self.judge,
            chance=_Chance(name, chance),
            hold=chance.uniform(*plan.hold),
            slots=slots,
        )
        self.jobs.append(job)
        self.note(f"{name} begins, slots {slots}, rate {machine.rate:.3f}")

        def whole() -> None:
            try:
                job.run()
            except BrokenError:
                raise
            except Exception as error:
                text = f"{name}: {type(error).__name__}: {error}"
                raise BrokenError("no crash", text) from error

        machine.start(whole)

    def _plan_accidents(self) -> None:
        plan, chance = self.plan, self.chance
        for count, accident in (
            (plan.freezes, self._freeze),
            (plan.kills, self._kill),
            (plan.cancels, self._cancel),
        ):
            for _ in range(count):
                self.scheduler.at(chance.uniform(1.0, 120.0), accident)
        for _ in range(plan.deletions):
            self.scheduler.at(chance.uniform(10.0, 90.0), self._delete)

    def _somebody(self) -> Job | None:
        alive = [job for job in self.jobs if not job.seen.ended]
        # Accidents happen to holders too, though these are few.
        inside = [job for job in alive if job.seen.keeper is not None]
        among = inside if inside and self.chance.random() < 0.6 else alive
        return self.chance.choice(among) if among else None

    def _freeze(self) -> None:
        job = self._somebody()
        if job is not None:
            seconds = self.chance.uniform(0.5, self.plan.longest_freeze)
            self.note(f"{job.client.name} is frozen for {seconds:.1f} s")
            job.machine.frozen_until = self.scheduler.now + seconds

    def _kill(self) -> None:
        job = self._somebody()
        if job is not None:
            self.note(f"{job.client.name} is killed")
            job.machine.dead = True
            self.judge.ends(job.seen, "killed", clean=False)

    def _cancel(self) -> None:
        job = self._somebody()
        if job is not None:
            self.note(f"{job.client.name} is cancelled")
            job.stop.set()

    def _delete(self) -> None:
        if self.cloud.delete(PATHS.record):
            self.note("somebody deletes the record")
            self.judge.deletes()
