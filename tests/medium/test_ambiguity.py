"""The ambiguity table: each write of the lock meets each fault on its way to a real server.

The cells stand in `tests/support/ambiguity.py`. Nothing is ever concluded from an answer that
cannot be used: the next request reads, and what it shows is what counts.
"""

import itertools
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import pytest
import requests

from gcs_ci_lock.dry_run.emulator import EmbeddedServer
from gcs_ci_lock.keepalive.keeper import Keeper, KeeperStopped
from gcs_ci_lock.locking.acquisition import Acquisition
from gcs_ci_lock.locking.client import LockClient
from gcs_ci_lock.locking.lease import LeaseState
from gcs_ci_lock.locking.outcome import Acquired, Released, Stopped
from gcs_ci_lock.locking.request import LockRequest
from gcs_ci_lock.locking.retry import release
from gcs_ci_lock.platforms.verifier import NoVerifier
from gcs_ci_lock.ports import Stop
from gcs_ci_lock.protocol.names import Location, LockPaths
from gcs_ci_lock.protocol.record import Owner
from gcs_ci_lock.protocol.timing import Timing
from gcs_ci_lock.system.clock import SystemClock, SystemRandom
from gcs_ci_lock.wiring import connect
from tests.support.ambiguity import (
    FAULTS,
    OPERATIONS,
    TABLE,
    WAYS,
    Effect,
    Operation,
    ambiguity_table,
)
from tests.support.bucket import TestBucket
from tests.support.fakes import Diary
from tests.support.fault_proxy import (
    ANSWER_LOST,
    LATE,
    RESET_AFTER,
    Fault,
    FaultProxy,
    Message,
    Seen,
)

pytestmark = pytest.mark.fault

RECORD = "lock.json"
QUEUE = "/queue/"
FENCE = 41
STALE = "stale-lease"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hurried(Timing):
    """The times of a lease; the one write that will meet a fault is given up soon.

    All others have time: on a busy machine no fault befalls them but the planned one.
    """

    in_a_hurry: Callable[[], bool]

    @property
    def read_timeout(self) -> float:
        return 10.0

    @property
    def write_timeout(self) -> float:
        return 0.5 if self.in_a_hurry() else 10.0


class Hasty(SystemRandom):
    """Draws the short lots: pauses of a twentieth of what they may be."""

    def fraction(self) -> float:
        return 0.05


class Between:
    """A wish to stop that a test may utter between two steps, whose pauses it cuts short."""

    def __init__(self, step: Callable[[], bool]) -> None:
        self._step = step
        self._set = False

    def is_set(self) -> bool:
        return self._set

    def wait(self, seconds: float) -> bool:
        self._set = self._set or self._step()
        if not self._set:
            SystemClock().sleep(min(seconds, 0.1))
        return self._set


class Process:
    """One process: a connection of its own, to the server or to the proxy before it."""

    def __init__(self, bucket: TestBucket, endpoint: str, proxy: FaultProxy) -> None:
        location = Location(bucket=bucket.bucket, prefix=bucket.prefix)
        self.paths = LockPaths(location=location, name="prod")
        self.connection = connect(bucket.bucket, endpoint=endpoint, environ={})
        self.timing = Hurried(
            ttl=30.0, give_up=20.0, renew_every=0.2, in_a_hurry=lambda: proxy.has_plans
        )
        self.lock: LockClient = self.connection.lock(self.paths, self.timing)
        self.random = Hasty()

    def acquire(self, *, wait: float = 15.0, stop: Stop | None = None) -> Acquired | Stopped:
        request = LockRequest(paths=self.paths, owner=Owner(), wait=wait, timing=self.timing)
        waiter = Acquisition(
            self.lock,
            request,
            random=self.random,
            stop=stop or threading.Event(),
            observer=Diary(),
            verifier=NoVerifier(),
        )
        outcome = waiter.run()
        assert isinstance(outcome, Acquired | Stopped)
        return outcome

    def hold(self, *, wait: float = 15.0, stop: Stop | None = None) -> Acquired:
        """Acquire, and insist."""
        outcome = self.acquire(wait=wait, stop=stop)
        assert isinstance(outcome, Acquired)
        return outcome

    def renew_once(self, acquired: Acquired) -> LeaseState:
        """Renew a lease until one renewal is acknowledged; fail if it is ever lost."""
        keeper = Keeper(
            self.lock,
            acquired.lease,
            random=self.random,
            max_hold=3600.0,
            began=acquired.lease.sent_at,
        )
        kept = keeper.run(Between(lambda: keeper.renewals == 1))
        assert kept == KeeperStopped()
        assert keeper.lost() is None
        return keeper.lease


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A bucket; one process that reaches it through the proxy, and one that does so directly."""

    bucket: TestBucket
    proxy: FaultProxy
    ours: Process
    other: Process

    def another(self) -> Process:
        """Return a new process, as a post step is one, behind the proxy."""
        return Process(self.bucket, self.proxy.endpoint, self.proxy)

    def record(self) -> dict[str, Any]:
        return self.bucket.record("prod")

    def put(self, **fields: object) -> None:
        """Put a record into the bucket whose fence is known."""
        whole = {
            "schema": 1,
            "name": "prod",
            "fence": FENCE,
            "freed_at": 0.0,
            "holders": [],
            "frozen": None,
            "sequences": {},
            "history": [],
        }
        self.bucket.write("prod", json.dumps({**whole, **fields}).encode())

    def writes(self, part: str, tried: Seen) -> list[Seen]:
        """Return the writes since the one that met the fault, and that one."""
        all_of_them = self.proxy.requests("POST", part)
        return all_of_them[all_of_them.index(tried) :]

    def tried(self) -> Seen:
        """Return the one request that met a fault."""
        (tried,) = (seen for seen in self.proxy.seen if seen.fault is not None)
        return tried

    def queue(self) -> list[dict[str, Any]]:
        """Return the tickets as a stranger sees them."""
        url = f"{self.bucket.endpoint}/storage/v1/b/{self.bucket.bucket}/o"
        with requests.Session() as session:
            session.trust_env = False
            prefix = f"{self.bucket.prefix}/prod/queue/"
            answer = session.get(url, params={"prefix": prefix}, timeout=10)
        return cast("list[dict[str, Any]]", answer.json().get("items", []))


@pytest.fixture
def scene(server: EmbeddedServer, bucket: TestBucket) -> Iterator[Scene]:
    with FaultProxy(server.endpoint) as proxy:
        yield Scene(
            bucket=bucket,
            proxy=proxy,
            ours=Process(bucket, proxy.endpoint, proxy),
            other=Process(bucket, server.endpoint, proxy),
        )


def each_cell_of(operation: Operation) -> pytest.MarkDecorator:
    """Return an operation's row of the table, each of its faults in all its ways."""
    cases = [
        (f"{fault}, {way}", WAYS[fault][way], effect)
        for fault in FAULTS
        for way, effect in zip(WAYS[fault], TABLE[operation, fault].effects, strict=True)
    ]
    return pytest.mark.parametrize(
        ("fault", "effect"),
        [(fault, effect) for _, fault, effect in cases],
        ids=[name for name, _, _ in cases],
    )


def the_counting_write(scene: Scene, effect: Effect) -> Seen:
    """Check what came of the attempts to write the record, and return the one in force."""
    tried = scene.tried()
    for late in scene.proxy.deliver():
        # Its generation is stale: the next attempt has been carried out.
        assert late.status == 412
    attempts = scene.writes(RECORD, tried)
    was_looked_at_before_each_repetition(scene, RECORD, attempts)
    assert [a.status for a in attempts].count(200) == effect.applied
    assert [a.status for a in attempts].count(412) == effect.refused
    counting = attempts[effect.counts - 1]
    assert scene.bucket.body("prod") == counting.payload
    return counting


def was_looked_at_before_each_repetition(scene: Scene, part: str, attempts: list[Seen]) -> None:
    """Check that nobody wrote again before reading, nor the same bytes."""
    order = scene.proxy.seen
    looks = [order.index(look) for look in scene.proxy.requests("GET", part)]
    for before, after in itertools.pairwise(attempts):
        assert any(order.index(before) < look < order.index(after) for look in looks)
        if part == RECORD:
            assert before.payload != after.payload


def stands_in_the_record(scene: Scene, lease: LeaseState, counting: Seen) -> None:
    """Check that this tenure is the only one, and is dated by the write that the record shows."""
    record = scene.record()
    (holder,) = record["holders"]
    assert (holder["lease"], holder["token"]) == (lease.id, lease.token)
    assert (holder["beat"], holder["expires_at"]) == (lease.revision, lease.expires_at)
    assert record["fence"] == lease.token == FENCE + 1
    # Sent before it came to the proxy, and after all that had come before it.
    earlier = [seen.at for seen in scene.proxy.seen if seen.at < counting.at]
    assert max(earlier) <= lease.sent_at <= counting.at


def test_the_table_has_each_operation_with_each_fault_and_an_effect_for_each_way() -> None:
    assert list(TABLE) == [(operation, fault) for operation in OPERATIONS for fault in FAULTS]
    assert len(TABLE) == 45
    for (_, fault), cell in TABLE.items():
        assert len(cell.effects) == len(WAYS[fault])


def test_the_table_is_one_row_of_markdown_a_cell() -> None:
    lines = ambiguity_table().splitlines()

    assert len(lines) == 2 + 45
    assert {line.count("|") for line in lines} == {6}


@each_cell_of("claim")
def test_a_claim_enters_once_with_one_token(scene: Scene, fault: Fault, effect: Effect) -> None:
    scene.put()
    scene.proxy.plan(fault, "POST", RECORD)

    acquired = scene.ours.hold()

    counting = the_counting_write(scene, effect)
    stands_in_the_record(scene, acquired.lease, counting)
    assert scene.record()["history"] == []


@each_cell_of("renewal")
def test_a_renewal_keeps_the_lease_from_the_send_of_the_stamp_in_force(
    scene: Scene, fault: Fault, effect: Effect
) -> None:
    scene.put()
    acquired = scene.ours.hold()
    scene.proxy.plan(fault, "POST", RECORD)

    lease = scene.ours.renew_once(acquired)

    counting = the_counting_write(scene, effect)
    stands_in_the_record(scene, lease, counting)
    assert lease.id == acquired.lease.id
    assert lease.revision > acquired.lease.revision
    assert lease.sent_at > acquired.lease.sent_at
    assert scene.record()["history"] == []


@each_cell_of("release")
def test_a_release_ends_its_lease_once(scene: Scene, fault: Fault, effect: Effect) -> None:
    scene.put()
    lease = scene.ours.hold().lease.id
    post_step = scene.another()
    scene.proxy.plan(fault, "POST", RECORD)

    released = release(post_step.lock, lease, random=post_step.random)

    the_counting_write(scene, effect)
    assert isinstance(released, Released)
    assert released.ended.lease == lease
    record = scene.record()
    assert record["holders"] == []
    assert record["fence"] == FENCE + 1
    assert [(e["lease"], e["outcome"]) for e in record["history"]] == [(lease, "released")]


@each_cell_of("take-over")
def test_an_expired_holder_is_taken_over_once(scene: Scene, fault: Fault, effect: Effect) -> None:
    expired_at = put_an_expired_holder(scene)
    scene.proxy.plan(fault, "POST", RECORD)

    acquired = scene.ours.hold()

    counting = the_counting_write(scene, effect)
    stands_in_the_record(scene, acquired.lease, counting)
    (ended,) = scene.record()["history"]
    assert (ended["lease"], ended["outcome"]) == (STALE, "expired")
    assert ended["ended_at"] == scene.record()["freed_at"] == expired_at
    assert [ended.lease for ended in acquired.took_over] == [STALE]
    assert acquired.previous is not None
    assert acquired.previous.lease == STALE


@each_cell_of("ticket")
def test_a_ticket_stands_once_with_its_first_arrival(
    scene: Scene, fault: Fault, effect: Effect
) -> None:
    holder = scene.other.hold().lease
    scene.proxy.plan(fault, "POST", QUEUE)
    contender: list[dict[str, Any]] = []

    def until_it_stands() -> bool:
        if acknowledged(scene, QUEUE) and not contender:
            assert [late.status for late in scene.proxy.deliver()] in ([], [412])
            contender.extend(scene.queue())
            scene.other.lock.release(holder.id)
        return False

    acquired = scene.ours.hold(stop=Between(until_it_stands))

    (ticket,) = contender
    attempts = scene.writes(QUEUE, scene.tried())
    was_looked_at_before_each_repetition(scene, QUEUE, attempts)
    assert [a.status for a in attempts].count(200) == effect.applied
    assert [a.status for a in attempts].count(412) == effect.refused
    arrived = moment(attempts[effect.counts - 1].document["timeCreated"])
    assert moment(ticket.get("metadata", {}).get("arrival", ticket["timeCreated"])) == arrived
    assert ticket["name"].endswith(f"/queue/{acquired.lease.id}")
    assert acquired.lease.token == holder.token + 1
    assert scene.queue() == []


@pytest.mark.parametrize(
    ("fault", "effect"),
    [
        pytest.param(ANSWER_LOST, Effect(counts=1), id="answer lost"),
        pytest.param(RESET_AFTER, Effect(counts=1), id="reset, applied"),
        *(
            pytest.param(fault, effect, id=f"applied late, {way}")
            for (way, fault), effect in zip(
                WAYS["applied late"].items(), TABLE["claim", "applied late"].effects, strict=True
            )
        ),
    ],
)
def test_the_first_claim_of_all_makes_the_record_once(
    scene: Scene, fault: Fault, effect: Effect
) -> None:
    scene.proxy.plan(fault, "POST", RECORD)

    acquired = scene.ours.hold()

    counting = the_counting_write(scene, effect)
    (holder,) = scene.record()["holders"]
    assert holder["lease"] == acquired.lease.id
    assert scene.record()["fence"] == holder["token"] == acquired.lease.token
    assert acquired.lease.sent_at <= counting.at


@pytest.mark.parametrize("record_exists", [True, False], ids=["a record", "no record"])
def test_a_claim_that_arrives_when_its_waiter_has_left_is_refused(
    scene: Scene, *, record_exists: bool
) -> None:
    if record_exists:
        scene.put()
    scene.proxy.plan(LATE, "POST", RECORD)

    outcome = scene.ours.acquire(stop=Between(lambda: True))

    assert isinstance(outcome, Stopped)
    assert [late.status for late in scene.proxy.deliver()] == [412]
    assert scene.record()["holders"] == []
    assert scene.other.hold(wait=0.0).lease.token == scene.record()["fence"]


@pytest.mark.parametrize("operation", ["renewal", "release"])
def test_a_write_that_arrives_when_the_next_one_holds_leaves_it_alone(
    scene: Scene, operation: Operation
) -> None:
    scene.put()
    acquired = scene.ours.hold()
    scene.proxy.plan(LATE, "POST", RECORD)
    if operation == "renewal":
        scene.ours.renew_once(acquired)
    release(scene.ours.lock, acquired.lease.id, random=scene.ours.random)
    rival = scene.other.hold(wait=0.0)
    before = scene.bucket.body("prod")

    late = scene.proxy.deliver()

    assert [one.status for one in late] == [412]
    assert scene.bucket.body("prod") == before
    assert [h["lease"] for h in scene.record()["holders"]] == [rival.lease.id]
    assert rival.lease.token == FENCE + 2


def test_a_ticket_that_arrives_when_its_waiter_has_entered_keeps_nobody_out(scene: Scene) -> None:
    holder = scene.other.hold().lease
    scene.proxy.plan(LATE, "POST", QUEUE)

    def once_it_stands() -> bool:
        if acknowledged(scene, QUEUE) and scene.record()["holders"]:
            release(scene.other.lock, holder.id, random=scene.other.random)
        return False

    acquired = scene.ours.hold(stop=Between(once_it_stands))
    late = scene.proxy.deliver()
    scene.ours.lock.release(acquired.lease.id)
    rival = scene.other.hold(wait=0.0)

    # Nothing is there any more that would make it stale; but its lease has been served.
    assert [one.status for one in late] == [200]
    assert [ticket["name"] for ticket in scene.queue()] == [
        scene.ours.paths.ticket(acquired.lease.id)
    ]
    assert rival.lease.token == acquired.lease.token + 1


def test_what_meets_no_fault_passes_byte_for_byte(scene: Scene) -> None:
    acquired = scene.ours.hold()

    look, write = scene.proxy.seen
    assert (look.method, look.status) == ("GET", 404)
    assert (write.method, write.status, write.fault) == ("POST", 200, None)
    assert scene.bucket.body("prod") == write.payload
    assert f"Host: {scene.proxy.endpoint.removeprefix('http://')}".encode() in write.message.head
    assert isinstance(write.answer, Message)
    assert acquired.lease.revision == scene.record()["holders"][0]["beat"]


def put_an_expired_holder(scene: Scene) -> float:
    """Leave a holder in the record whose lease ended 20 s ago by the server's clock."""
    scene.other.lock.read()
    expired_at = scene.other.lock.now().earliest - 20.0
    holder = {
        "lease": STALE,
        "owner": {"platform": "local"},
        "slots": 1,
        "token": FENCE,
        "asked_at": expired_at - 60.0,
        "granted_at": expired_at - 60.0,
        "expires_at": expired_at,
        "ttl": 30.0,
        "beat": 7,
    }
    scene.put(holders=[holder])
    return expired_at


def acknowledged(scene: Scene, part: str) -> bool:
    """Tell whether a write has come back with success, all of it."""
    writes = scene.proxy.requests("POST", part)
    return any(write.fault is None and write.status == 200 for write in writes)


def moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
