"""One job in a simulated world: the shipped waiter, keeper and release, on a machine of its own."""

import random
from dataclasses import dataclass, field

from gcs_ci_lock.errors import LockError
from gcs_ci_lock.keepalive.keeper import Keeper
from gcs_ci_lock.locking.acquisition import Acquisition
from gcs_ci_lock.locking.client import LockClient
from gcs_ci_lock.locking.outcome import Acquired, Obsolete
from gcs_ci_lock.locking.request import LockRequest
from gcs_ci_lock.locking.retry import release
from gcs_ci_lock.platforms.verifier import NoVerifier
from gcs_ci_lock.ports import Verifier
from gcs_ci_lock.protocol.record import Owner
from gcs_ci_lock.protocol.slots import Slots
from gcs_ci_lock.protocol.timing import Timing
from gcs_ci_lock.protocol.wait_status import WaitStatus
from tests.simulation.cloud import Client
from tests.simulation.judge import Judge
from tests.simulation.plans import HORIZON, PATHS, TTL
from tests.simulation.properties import Seen
from tests.simulation.scheduler import Machine, Wish

LOOK_EVERY = 2.0


class Chance:
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

    def on_claim(self, lease: str) -> None:
        self.seen.leases.append(lease)

    def on_wait(self, status: WaitStatus) -> None:
        return


@dataclass
class Job:
    """One job: it waits, works under the lock, and releases, as `gcs-ci-lock run` does."""

    machine: Machine
    client: Client
    seen: Seen
    judge: Judge
    random: Chance
    hold: float
    slots: Slots
    verifier: Verifier = field(default_factory=NoVerifier)
    stop: Wish = field(init=False)

    def __post_init__(self) -> None:
        self.stop = Wish(self.machine)

    def run(self) -> None:
        timing = Timing.for_ttl(TTL)
        lock = LockClient(
            PATHS,
            store=self.client,
            clock=self.machine,
            server_clock=self.client.server_clock,
            timing=timing,
        )
        request = LockRequest(
            paths=PATHS,
            owner=Owner(platform="github", job=self.seen.line, run_id=self.client.name),
            slots=self.slots,
            wait=HORIZON,
            timing=timing,
            newest=self.seen.newest,
            sequence=self.seen.sequence,
        )
        waiter = Acquisition(
            lock,
            request,
            random=self.random,
            stop=self.stop,
            observer=_Observer(self.seen),
            verifier=self.verifier,
        )
        try:
            outcome = waiter.run()
        except LockError as error:
            self.judge.ends(self.seen, str(error), clean=not waiter.may_leave_objects)
            return
        if isinstance(outcome, Obsolete):
            self.judge.ends(self.seen, outcome.outcome, clean=not waiter.may_leave_objects)
            return
        if not isinstance(outcome, Acquired):
            self.judge.ends(self.seen, "stopped", clean=not waiter.may_leave_objects)
            return
        keeper = Keeper(
            lock,
            outcome.lease,
            random=self.random,
            max_hold=HORIZON,
            began=outcome.lease.sent_at,
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
            release(lock, outcome.lease.id, random=self.random)
        except LockError as error:
            self.judge.ends(self.seen, str(error), clean=False)
        else:
            self.judge.ends(self.seen, "released", clean=True)

    def _work(self, keeper: Keeper) -> str:
        """Work until it is done, or the lease is lost; return why it was."""
        until = self.machine.boottime() + self.hold
        while not self.stop.is_set() and self.machine.boottime() < until:
            self.stop.wait(min(LOOK_EVERY, until - self.machine.boottime()))
            lost = keeper.lost()
            if lost is not None:
                return lost.message
        return ""


def _keep(keeper: Keeper, over: Wish, kept: Wish) -> None:
    keeper.run(over)
    kept.set()
