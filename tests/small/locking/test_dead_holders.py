"""Holders whose jobs are over are evicted; of all others nothing is concluded."""

import math
from collections.abc import Callable
from dataclasses import replace

import pytest

from gcs_ci_lock.locking.admin import evict, freeze
from gcs_ci_lock.locking.dead_holders import DeadHolders
from gcs_ci_lock.locking.outcome import TimedOut
from gcs_ci_lock.platforms.verifier import MAX_OWNERS, BackgroundVerifier
from gcs_ci_lock.protocol.queue import QueuePosition
from gcs_ci_lock.protocol.record import Owner
from gcs_ci_lock.storage.memory import Moment
from tests.support.fakes import FakeClock, World
from tests.support.faults import nth_write
from tests.support.samples import ALICE, FREEZE, HOLDER, RECORD, TICKET
from tests.support.waiters import queue_and_vanish, run_of_job

pytestmark = pytest.mark.example


class Oracle:
    """A verifier that knows, and counts what it is asked."""

    def __init__(self, proof: str, *, after: int = 1) -> None:
        self._proof = proof
        self._after = after
        self.asked: list[Owner] = []
        self.every: list[float] = []

    def proof(self, owner: Owner, *, every: float) -> str:
        self.asked.append(owner)
        self.every.append(every)
        return self._proof if len(self.asked) >= self._after else ""


def test_a_holder_that_is_proved_dead_is_evicted_with_the_proof() -> None:
    world = World()
    dead = world.client("dead", ttl=3600).hold()
    client = world.client("a")
    client.verifier = Oracle("run 8123 is completed", after=2)

    acquired = client.hold(wait=60)

    assert acquired.waited < 5
    [ended] = acquired.took_over
    assert (ended.lease, ended.outcome) == (dead.lease.id, "evicted")
    assert ended.note == "run 8123 is completed"


def test_a_holder_of_whom_nothing_is_known_is_waited_out() -> None:
    world = World()
    world.client("holder", ttl=3600).hold()
    client = world.client("a")
    client.verifier = Oracle("")

    assert isinstance(client.acquire(wait=120), TimedOut)


def test_who_fits_beside_a_dead_holder_does_not_ask() -> None:
    world = World()
    world.client("dead").hold(slots=2)
    client = world.client("a")
    client.verifier = oracle = Oracle("dead")

    client.hold(slots=2)

    assert oracle.asked == []


def test_nobody_is_evicted_while_the_lock_is_frozen() -> None:
    world = World()
    holder = world.client("holder", ttl=3600)
    holder.hold()
    freeze(holder.lock, FREEZE)
    client = world.client("a")
    client.verifier = oracle = Oracle("dead")

    assert isinstance(client.acquire(wait=20), TimedOut)
    assert oracle.asked == []


def test_behind_its_own_repository_one_asks_later_and_half_as_often() -> None:
    world = World()
    world.client("holder", ttl=3600).hold()
    queue_and_vanish(run_of_job(world, "first"))
    early, late, other = (
        run_of_job(world, "early"),
        run_of_job(world, "late"),
        world.client("other"),
    )
    other.owner = replace(ALICE, repository="acme/web")
    early.verifier, late.verifier, other.verifier = Oracle(""), Oracle(""), Oracle("")

    early.acquire(wait=9)
    late.acquire(wait=20)
    other.acquire(wait=9)

    assert early.verifier.every == []
    assert set(late.verifier.every) == {120.0}
    assert set(other.verifier.every) == {60.0}


def test_a_head_that_cannot_ask_does_not_keep_the_others_from_asking() -> None:
    world = World()
    world.client("dead", ttl=3600).hold()
    queue_and_vanish(run_of_job(world, "first"))
    second = run_of_job(world, "second")
    second.verifier = Oracle("run 8123 is completed")

    acquired = second.hold(wait=60)

    assert acquired.waited < 20
    assert acquired.took_over[0].note == "run 8123 is completed"


def test_who_enters_in_the_place_of_the_dead_is_told_whoever_gave_the_proof() -> None:
    world = World()
    dead = world.client("dead", ttl=3600).hold().lease.id
    evict(world.client("second").lock, dead, note="run 8123 is completed")
    head = world.client("head")

    first = head.hold(wait=60)
    head.lock.release(first.lease.id)
    after = world.client("next").hold(wait=60)

    assert [ended.lease for ended in first.took_over] == [dead]
    assert after.took_over == ()


def test_all_of_a_repository_together_ask_less_than_its_token_allows() -> None:
    clock, asked = FakeClock(), [0]

    def ask(_: Owner) -> str:
        asked[0] += 1
        return ""

    def carry_out(question: Callable[[], None]) -> None:
        question()

    owners = [replace(ALICE, run_id=str(run)) for run in range(MAX_OWNERS)]
    holders = tuple(replace(HOLDER, lease=o.run_id, owner=o) for o in owners)
    record = replace(RECORD, holders=holders)
    ticket = replace(TICKET, owner=ALICE)
    waiters = [
        (
            DeadHolders(
                World().client("a").lock, ALICE, BackgroundVerifier(ask, clock, start=carry_out)
            ),
            QueuePosition(ahead=(ticket,) * before, settle_time=math.inf, fits_holders=False),
        )
        for before in range(60)
    ]
    for deaths, _ in waiters:
        deaths._lock.clock = clock  # noqa: SLF001 - all see one clock
    for _ in range(120):
        for deaths, position in waiters:
            deaths.evict(record, position)
        clock.sleep(30)

    # In an hour the token of a job has 1000 questions; the first alone asks about each owner 60.
    assert 60 * MAX_OWNERS < asked[0] < 1000


def test_an_earlier_attempt_of_the_same_run_is_taken_over_at_once() -> None:
    world = World()
    first, second = world.client("first", ttl=3600), world.client("second")
    page = "https://github.com/acme/api/actions/runs/8123"
    first.owner = replace(ALICE, run_id="8123", attempt="1", url=page)
    second.owner = replace(first.owner, attempt="2", url=f"{page}/attempts/2")
    first.hold()

    acquired = second.hold(wait=0)

    assert acquired.took_over[0].note == "run 8123 goes on as attempt 2"


@pytest.mark.parametrize("moment", ["before", "after"])
def test_an_eviction_whose_answer_is_lost_is_made_once(moment: Moment) -> None:
    world = World()
    dead = world.client("dead", ttl=3600).hold()
    client = world.client("a", fault=nth_write(1, moment))
    client.verifier = Oracle("it is over")

    acquired = client.hold(wait=60)

    assert [e.lease for e in acquired.took_over] == [dead.lease.id]
    record = client.lock.read().record
    assert record is not None
    assert [e.outcome for e in record.history] == ["evicted"]


def holder_in_the_way(*, ahead: int) -> tuple[World, DeadHolders, Oracle, QueuePosition]:
    """Return a waiter behind so many of its own repository, and what it asks."""
    world = World()
    oracle = Oracle("")
    position = QueuePosition(
        ahead=(replace(TICKET, owner=ALICE),) * ahead, settle_time=math.inf, fits_holders=False
    )
    return world, DeadHolders(world.client("a").lock, ALICE, oracle), oracle, position


@pytest.mark.parametrize(("ahead", "seconds"), [(0, 0), (1, 10), (2, 30), (3, 70)])
def test_each_further_waiter_of_a_repository_asks_later(ahead: int, seconds: float) -> None:
    world, dead_holders, oracle, position = holder_in_the_way(ahead=ahead)
    assert not dead_holders.evict(RECORD, position)
    early = len(oracle.asked)

    world.clock.sleep(max(seconds - 0.1, 0.0))
    dead_holders.evict(RECORD, position)
    just_before = len(oracle.asked)
    world.clock.sleep(0.1)
    dead_holders.evict(RECORD, position)

    assert (early, just_before) == ((0, 0) if seconds else (1, 2))
    assert oracle.every[-1] == 60.0 * 2**ahead


def test_a_holder_that_comes_back_is_waited_for_anew() -> None:
    world, dead_holders, oracle, position = holder_in_the_way(ahead=1)
    dead_holders.evict(RECORD, position)
    world.clock.sleep(10.0)
    dead_holders.evict(replace(RECORD, holders=()), position)

    dead_holders.evict(RECORD, position)

    assert oracle.asked == []


def test_who_fits_or_meets_a_freeze_asks_nothing() -> None:
    _, dead_holders, oracle, position = holder_in_the_way(ahead=0)

    assert not dead_holders.evict(RECORD, replace(position, fits_holders=True))
    assert not dead_holders.evict(replace(RECORD, frozen=FREEZE), position)

    assert oracle.asked == []


def test_a_long_proof_is_cut_to_what_a_record_keeps() -> None:
    world = World()
    dead = world.client("dead", ttl=3600).hold().lease.id
    client = world.client("a")
    client.verifier = Oracle("x" * 1000)

    [ended] = client.hold(wait=60).took_over

    assert (ended.lease, ended.note) == (dead, "x" * 200)
