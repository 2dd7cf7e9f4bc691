"""A small world in virtual time: fakes of every port, and a bucket in memory."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypedDict, Unpack

from gcs_ci_lock.keepalive.keeper import Keeper
from gcs_ci_lock.locking.acquisition import Acquisition
from gcs_ci_lock.locking.client import LockClient
from gcs_ci_lock.locking.outcome import Acquired, Obsolete, Stopped, TimedOut
from gcs_ci_lock.locking.request import LockRequest
from gcs_ci_lock.platforms.verifier import NoVerifier
from gcs_ci_lock.ports import Verifier
from gcs_ci_lock.protocol.names import Location, LockPaths
from gcs_ci_lock.protocol.record import Owner
from gcs_ci_lock.protocol.slots import Slots
from gcs_ci_lock.protocol.timing import Timing
from gcs_ci_lock.protocol.wait_status import WaitStatus
from gcs_ci_lock.storage.memory import MemoryBucket, MemoryStore, Moment, Request
from gcs_ci_lock.system.clock import ObservedServerClock

EPOCH = 1_795_422_000.25
PATHS = LockPaths(location=Location(bucket="acme-locks", prefix="locks"), name="prod")

Fault = Callable[[Request, Moment], None]


class FakeClock:
    """A boot clock that goes on only when somebody waits; what is due then happens on the way."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self._due: list[tuple[float, Callable[[], object]]] = []

    def boottime(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        until = self.now + max(seconds, 0.0)
        while self._due and min(at for at, _ in self._due) <= until:
            at, action = min(self._due, key=lambda due: due[0])
            self._due.remove((at, action))
            self.now = max(self.now, at)
            action()
        self.now = max(self.now, until)

    def after(self, seconds: float, action: Callable[[], object]) -> None:
        """Let something happen when the clock has gone on by so much."""
        self._due.append((self.now + seconds, action))


class FakeStop:
    """A wish to stop that tests utter, or that time brings."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self._set = False

    def set(self) -> None:
        self._set = True

    def is_set(self) -> bool:
        return self._set

    def wait(self, seconds: float) -> bool:
        if not self._set:
            self._clock.sleep(seconds)
        return self._set


class FakeChance:
    """No spread, and lease ids that can be read: a-1, a-2."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._count = 0

    def fraction(self) -> float:
        return 0.5

    def lease_id(self) -> str:
        self._count += 1
        return f"{self._name}-{self._count}"


@dataclass
class Diary:
    """An observer that remembers."""

    leases: list[str] = field(default_factory=list)
    looks: list[WaitStatus] = field(default_factory=list)

    def on_claim(self, lease: str) -> None:
        self.leases.append(lease)

    def on_wait(self, status: WaitStatus) -> None:
        self.looks.append(status)


class Wishes(TypedDict, total=False):
    """What else a client may ask for."""

    priority: int
    newest: bool
    sequence: int | None


class Client:
    """One process: its store, its lock and its wish to stop."""

    def __init__(self, world: "World", name: str, fault: Fault | None, ttl: float) -> None:
        self.clock = world.clock
        self.name = name
        self.timing = Timing.for_ttl(ttl)
        self.server_clock = ObservedServerClock()
        self.store = MemoryStore(
            world.bucket, clock=world.clock, server_clock=self.server_clock, fault=fault
        )
        self.lock = LockClient(
            PATHS,
            store=self.store,
            clock=world.clock,
            server_clock=self.server_clock,
            timing=self.timing,
        )
        self.random = FakeChance(name)
        self.stop = FakeStop(world.clock)
        self.diary = Diary()
        self.owner = Owner(platform="local", actor=name)
        self.verifier: Verifier = NoVerifier()

    def waiter(
        self, *, wait: float = 1800.0, slots: Slots = 1, **wishes: Unpack[Wishes]
    ) -> Acquisition:
        request = LockRequest(
            paths=PATHS,
            owner=self.owner,
            slots=slots,
            wait=wait,
            timing=self.timing,
            **wishes,
        )
        return Acquisition(
            self.lock,
            request,
            random=self.random,
            stop=self.stop,
            observer=self.diary,
            verifier=self.verifier,
        )

    def acquire(
        self, *, wait: float = 1800.0, slots: Slots = 1, **wishes: Unpack[Wishes]
    ) -> Acquired | TimedOut | Obsolete | Stopped:
        return self.waiter(wait=wait, slots=slots, **wishes).run()

    def hold(self, *, wait: float = 0.0, slots: Slots = 1, **wishes: Unpack[Wishes]) -> Acquired:
        """Acquire, and insist."""
        outcome = self.acquire(wait=wait, slots=slots, **wishes)
        assert isinstance(outcome, Acquired)
        return outcome

    def keeper(self, acquired: Acquired, max_hold: float = 21_600.0) -> Keeper:
        return Keeper(
            self.lock,
            acquired.lease,
            random=self.random,
            max_hold=max_hold,
            began=acquired.lease.sent_at,
        )

    def count(self, method: str) -> int:
        return sum(request.method == method for request in self.store.requests)


class World:
    """A bucket, a clock for all, and the clients that meet there."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.bucket = MemoryBucket(lambda: EPOCH + self.clock.now)

    def client(self, name: str, *, fault: Fault | None = None, ttl: float = 120.0) -> Client:
        return Client(self, name, fault, ttl)

    def tickets(self) -> list[str]:
        """Return the lease ids that stand in the queue's objects."""
        return [p.removeprefix(PATHS.queue) for p in self.bucket.objects if PATHS.queue in p]

    def record_body(self) -> bytes:
        return self.bucket.objects[PATHS.record].body
