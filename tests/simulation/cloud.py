"""Cloud Storage as it is documented, and a network that loses, delays and refuses."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import floor
from typing import Literal, Protocol, TypeVar, cast

from gcs_ci_lock.errors import OutcomeUnknown, PreconditionFailed
from gcs_ci_lock.ports import NotFound, NotModified, ObjectInfo, ObjectRead
from gcs_ci_lock.protocol.server_time import Interval
from gcs_ci_lock.storage.memory import MemoryBucket, MemoryStore
from gcs_ci_lock.system.clock import ObservedServerClock
from tests.simulation.scheduler import Machine, Scheduler, Suspension

EPOCH = 1_795_422_000.4
_T = TypeVar("_T")
Kind = Literal["good", "dropped", "answer lost", "late", "refused", "busy", "failed after"]


@dataclass(frozen=True)
class Fate:
    """What becomes of one request."""

    kind: Kind
    up: float
    down: float


@dataclass(frozen=True)
class Weather:
    """How bad the network and the server's clock are.

    Attributes:
        faults: share of requests that meet a fault.
        row: faults in a row that one client's requests of one kind meet at most.
        latest: seconds by which a late request comes late at most.
        stale: seconds by which a `Date` is behind at most.
        outage: times from and to which every write is refused, though reads are answered.
    """

    faults: float = 0.0
    row: int = 1000
    latest: float = 60.0
    stale: float = 0.0
    slowest: float = 0.12
    outage: tuple[float, float] = (0.0, 0.0)


class Onlooker(Protocol):
    """Whoever judges what the server sees."""

    def sends(self, client: "Client", path: str, body: bytes) -> None: ...

    def refuses(self, client: "Client") -> None: ...

    def wrote(self, client: "Client", path: str, before: bytes | None, body: bytes) -> None: ...


class _NoClock:
    def observe(self, *, date: float, sent: float, received: float) -> None:
        return

    def at(self, boot: float) -> Interval:
        raise NotImplementedError


class Cloud:
    """The server: one bucket, a clock, and a limit of one write a second to one object."""

    def __init__(self, scheduler: Scheduler, chance: random.Random, weather: Weather) -> None:
        self.scheduler = scheduler
        self.random = chance
        self.weather = weather
        self.bucket = MemoryBucket(lambda: self.time)
        self.hands = MemoryStore(
            self.bucket, clock=Machine(scheduler, offset=0, rate=1), server_clock=_NoClock()
        )
        self._allowance: dict[str, tuple[float, float]] = {}
        self._deleted_at = -1.0

    @property
    def time(self) -> float:
        return EPOCH + self.scheduler.now

    def date(self, behind: float) -> float:
        """Return a `Date` of one of many front ends, which is behind at least by so much."""
        stale = max(self.weather.stale, 0.05)
        behind += self.random.uniform(0.0, stale if self.random.random() < 0.2 else 0.05)
        return float(floor(self.time - min(behind, stale)))

    def delete(self, path: str) -> bool:
        """Delete an object as a person does; tell whether there was one.

        A write that is on its way by then never arrives: one that expects no object would find
        none and bring an old token back. The documents tell of it.
        """
        self._deleted_at = self.scheduler.now
        return self.bucket.objects.pop(path, None) is not None

    def is_cut_off(self, sent_at: float) -> bool:
        """Tell whether a request was on its way when somebody deleted an object."""
        return sent_at <= self._deleted_at

    def takes_write(self, path: str) -> bool:
        """Tell whether an object takes one more write: one a second, bursts of two."""
        left, since = self._allowance.get(path, (2.0, self.scheduler.now))
        left = min(left + self.scheduler.now - since, 2.0)
        taken = left >= 1.0
        self._allowance[path] = (left - 1.0 if taken else left, self.scheduler.now)
        return taken

    def fate(self, method: str, row: int) -> Fate:
        """Decide what becomes of a client's next request, after so many faults in a row."""
        chance, weather = self.random, self.weather
        up, down = chance.uniform(0.01, weather.slowest), chance.uniform(0.01, weather.slowest)
        if method == "write" and weather.outage[0] <= self.scheduler.now < weather.outage[1]:
            return Fate("refused", up, down)
        if row >= weather.row or chance.random() >= weather.faults:
            return Fate("good", up, down)
        kinds: list[Kind] = ["dropped", "answer lost", "late", "refused", "busy", "failed after"]
        kind = chance.choice(kinds)
        if kind == "late":
            up = chance.uniform(0.0, weather.latest)
        return Fate(kind, up, down)


@dataclass
class _Answer:
    value: object = None
    date: float = 0.0
    arrived: bool = False
    waiting: Suspension | None = None


@dataclass
class Client:
    """A process' way to the bucket; a `ports.ObjectStore`."""

    machine: Machine
    cloud: Cloud
    onlooker: Onlooker
    name: str
    server_clock: ObservedServerClock = field(default_factory=ObservedServerClock)
    rows: dict[str, int] = field(default_factory=dict)
    # Seconds by which the clock of its front end is behind.
    behind: float = 0.0
    log: Callable[[str], None] = lambda _: None

    def read(
        self, path: str, *, known: int | None, limit: int, timeout: float
    ) -> ObjectRead | NotFound | NotModified:
        hands = self.cloud.hands
        return self._ask(
            "read", path, timeout, lambda: hands.read(path, known=known, limit=limit, timeout=0)
        )

    def write(
        self,
        path: str,
        body: bytes,
        *,
        generation: int,
        metadata: Mapping[str, str] | None = None,
        timeout: float,
    ) -> ObjectInfo:
        self.onlooker.sends(self, path, body)

        def carry_out() -> ObjectInfo:
            if not self.cloud.takes_write(path):
                self.onlooker.refuses(self)
                message = "429"
                raise OutcomeUnknown(message, busy=True)
            there = self.cloud.bucket.objects.get(path)
            entry = self.cloud.hands.write(
                path, body, generation=generation, metadata=metadata, timeout=0
            )
            self.onlooker.wrote(self, path, there.body if there else None, body)
            return entry

        return self._ask("write", path, timeout, carry_out)

    def list(self, prefix: str, *, timeout: float) -> Sequence[ObjectInfo]:
        return self._ask("list", prefix, timeout, lambda: self.cloud.hands.list(prefix, timeout=0))

    def delete(self, path: str, *, generation: int, timeout: float) -> None:
        hands = self.cloud.hands
        self._ask(
            "delete", path, timeout, lambda: hands.delete(path, generation=generation, timeout=0)
        )

    def _ask(self, method: str, path: str, timeout: float, carry_out: Callable[[], _T]) -> _T:
        scheduler, fate = self.machine.scheduler, self.cloud.fate(method, self.rows.get(method, 0))
        self.rows[method] = 0 if fate.kind == "good" else self.rows.get(method, 0) + 1
        answer = _Answer()
        sent, sent_at = self.machine.boottime(), scheduler.now
        self.log(f"{self.name} {method} {path.rpartition('/')[2]} {fate.kind}")

        def arrive() -> None:
            if method == "write" and self.cloud.is_cut_off(sent_at):
                return
            if fate.kind in ("refused", "busy"):
                answer.value = OutcomeUnknown(fate.kind, busy=fate.kind == "busy")
            else:
                try:
                    answer.value = carry_out()
                except (PreconditionFailed, OutcomeUnknown) as refusal:
                    answer.value = refusal
                    self.log(f"{self.name} {method} {path.rpartition('/')[2]}: {refusal}")
            answer.date = self.cloud.date(self.behind)
            if fate.kind == "failed after":
                answer.value = OutcomeUnknown("500")
            if fate.kind != "answer lost":
                scheduler.at(scheduler.now + fate.down, come_back)

        def come_back() -> None:
            answer.arrived = True
            if answer.waiting is not None:
                self.machine.wake(answer.waiting)

        def wait_for(suspension: Suspension) -> None:
            answer.waiting = suspension

        if fate.kind != "dropped":
            scheduler.at(scheduler.now + fate.up, arrive)
        self.machine.suspend(timeout, wait_for)
        if not answer.arrived:
            message = "no answer"
            raise OutcomeUnknown(message)
        self.server_clock.observe(date=answer.date, sent=sent, received=self.machine.boottime())
        if isinstance(answer.value, Exception):
            raise answer.value
        return cast("_T", answer.value)
