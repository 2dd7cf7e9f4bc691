"""What a waiter of a line does to the others of it, and what it does with the dead."""

import math
from collections.abc import Callable
from dataclasses import replace

import pytest

from gcs_ci_lock.errors import OutcomeUnknown
from gcs_ci_lock.locking.admin import evict, freeze, unfreeze
from gcs_ci_lock.locking.dead_holders import DeadHolders
from gcs_ci_lock.locking.outcome import Obsolete, TimedOut
from gcs_ci_lock.platforms.verifier import MAX_OWNERS, BackgroundVerifier
from gcs_ci_lock.protocol.obsolete import Outdated, Superseded
from gcs_ci_lock.protocol.queue import QueuePosition
from gcs_ci_lock.protocol.record import Freeze, Owner
from gcs_ci_lock.storage.memory import Moment
from tests.support.fakes import PATHS, Client, FakeClock, World
from tests.support.faults import nth_write
from tests.support.samples import HOLDER, RECORD, TICKET

pytestmark = pytest.mark.example

PUSH = Owner(platform="github", repository="acme/api", workflow="deploy", job="prod")


def a_push(world: World, name: str) -> Client:
    client = world.client(name)
    client.owner = PUSH
    return client


def stays(client: Client, *, newest: bool = True, seconds: float = 0.5) -> None:
    """Let a client wait for so long, and then stand still for ever with its ticket."""
    client.clock.after(seconds, client.stop.set)
    waiter = client.waiter(newest=newest)
    waiter._withdraw = lambda: None  # type: ignore[method-assign]  # noqa: SLF001 - it stands still
    waiter.run()


def test_a_newer_run_tells_the_older_one_and_stands_in_its_place() -> None:
    world = World()
    holder = world.client("holder")
    lease = holder.hold().lease.id
    older, newer = a_push(world, "older"), a_push(world, "newer")
    stays(older)
    between = world.client("between")
    stays(between, newest=False)

    world.clock.after(5.0, lambda: holder.lock.release(lease))
    acquired = newer.hold(wait=60, newest=True)

    # `between` came before it, and stands behind the place that it has taken over.
    assert acquired.waited < 7
    ahead = newer.diary.looks[0].position
    assert ahead is not None
    assert ahead.rank == 1
    tickets = {t.lease: t for t in newer.lock.tickets()}
    assert tickets[older.diary.leases[0]].superseded_by == newer.diary.leases[0]


def test_an_older_waiter_ends_within_a_refresh_of_its_ticket() -> None:
    world = World()
    world.client("holder", ttl=600).hold()
    older, newer = a_push(world, "older"), a_push(world, "newer")
    world.clock.after(10.0, lambda: stays(newer, seconds=3.0))

    outcome = older.acquire(newest=True)

    assert isinstance(outcome, Obsolete)
    assert outcome.why == Superseded(by=newer.diary.leases[0])
    assert 28 < outcome.waited < 36
    assert older.diary.leases[0] not in world.tickets()


def test_an_older_waiter_that_slept_through_all_of_it_never_runs_after_the_newer() -> None:
    world = World()
    holder = world.client("holder", ttl=600)
    lease = holder.hold().lease.id
    older, newer = a_push(world, "older"), a_push(world, "newer")

    def sleep() -> None:
        # Nobody hears of it, its ticket is swept, and long afterwards all is quiet.
        holder.lock.release(lease)
        granted = newer.hold(wait=60, newest=True)
        newer.lock.release(granted.lease.id)
        world.bucket.objects.pop(PATHS.ticket(older.diary.leases[0]))
        world.clock.now += 500

    world.clock.after(10.0, sleep)
    outcome = older.acquire(newest=True)

    assert isinstance(outcome, Obsolete)
    assert outcome.why == Superseded(by="")


def test_pushes_again_and_again_do_not_starve_their_line() -> None:
    world = World()
    holder = world.client("holder", ttl=600)
    lease = holder.hold().lease.id
    stays(a_push(world, "push0"))
    stays(world.client("other"), newest=False)
    for number in range(1, 5):
        world.clock.sleep(20.0)
        stays(a_push(world, f"push{number}"))
    holder.lock.release(lease)

    acquired = a_push(world, "last").hold(wait=60, newest=True)

    assert acquired.waited < 1


def test_a_place_is_not_taken_over_from_one_that_was_served() -> None:
    world = World()
    first = a_push(world, "first").hold(newest=True)
    stays(world.client("other"), newest=False)
    late = a_push(world, "late")
    stays(late, newest=True)

    assert first.lease.token
    look = late.diary.looks[-1].position
    assert look is not None
    assert look.rank == 2


def test_a_rewriting_of_the_older_ticket_that_fails_is_made_up_for() -> None:
    world = World()
    world.client("holder", ttl=600).hold()
    older = a_push(world, "older")
    stays(older)
    newer = world.client("newer", fault=nth_write(1, "before", path_end="older-1"))
    newer.owner = PUSH

    stays(newer, seconds=5.0)

    tickets = {t.lease: t for t in newer.lock.tickets()}
    assert tickets[older.diary.leases[0]].superseded_by == newer.diary.leases[0]


def test_an_outdated_one_ends_at_once_though_the_lock_is_held() -> None:
    world = World()
    newer = a_push(world, "newer")
    newer.hold(sequence=812)

    outcome = a_push(world, "older").acquire(sequence=811)

    assert outcome == Obsolete(waited=0.0, why=Outdated(sequence=811, granted=812))
    assert outcome.outcome == "outdated"


def test_one_that_becomes_outdated_while_it_waits_takes_its_ticket_along() -> None:
    world = World()
    holder = world.client("holder", ttl=600)
    lease = holder.hold().lease.id
    older, newer = a_push(world, "older"), a_push(world, "newer")

    def overtake() -> None:
        holder.lock.release(lease)
        newer.hold(wait=30, sequence=812, priority=9)

    world.clock.after(10.3, overtake)
    outcome = older.acquire(sequence=811)

    assert isinstance(outcome, Obsolete)
    assert world.tickets() == []


def test_a_higher_priority_goes_before_those_who_came_earlier() -> None:
    world = World()
    holder = world.client("holder", ttl=600)
    lease = holder.hold().lease.id
    stays(world.client("early"), newest=False)
    world.clock.after(5.0, lambda: holder.lock.release(lease))

    acquired = world.client("urgent").hold(wait=60, priority=9)

    assert acquired.waited < 7


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
    frozen = Freeze(reason="", author="alice", since=0.0, until=None)
    freeze(holder.lock, frozen)
    client = world.client("a")
    client.verifier = oracle = Oracle("dead")

    assert isinstance(client.acquire(wait=20), TimedOut)
    assert oracle.asked == []


def test_behind_its_own_repository_one_asks_later_and_half_as_often() -> None:
    world = World()
    world.client("holder", ttl=3600).hold()
    stays(a_push(world, "first"), newest=False)
    early, late, other = a_push(world, "early"), a_push(world, "late"), world.client("other")
    other.owner = replace(PUSH, repository="acme/web")
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
    stays(a_push(world, "first"), newest=False)
    second = a_push(world, "second")
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

    owners = [replace(PUSH, run_id=str(run)) for run in range(MAX_OWNERS)]
    holders = tuple(replace(HOLDER, lease=o.run_id, owner=o) for o in owners)
    record = replace(RECORD, holders=holders)
    ticket = replace(TICKET, owner=PUSH)
    waiters = [
        (
            DeadHolders(
                World().client("a").lock, PUSH, BackgroundVerifier(ask, clock, start=carry_out)
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
    first.owner = replace(PUSH, run_id="8123", attempt="1", url=page)
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


def test_the_evicted_holder_learns_it_at_its_next_renewal_and_releases_nobody() -> None:
    world = World()
    holder = world.client("holder")
    acquired = holder.hold()
    other = world.client("other")
    evict(other.lock, acquired.lease.id, note="stuck deploy")
    new = other.hold(wait=60)

    lost = holder.lock.renew(acquired.lease)
    released = holder.lock.release(acquired.lease.id)

    assert "evicted" in str(lost)
    assert "stuck deploy" in str(lost)
    assert getattr(released, "holders", ()) != ()
    record = other.lock.read().record
    assert record is not None
    assert [h.lease for h in record.holders] == [new.lease.id]


def until(world: World, seconds: float) -> float:
    return world.bucket.server_time() + seconds


@pytest.mark.parametrize("ends_by_itself", [True, False])
def test_a_freeze_keeps_waiters_out_until_it_ends(*, ends_by_itself: bool) -> None:
    world = World()
    person = world.client("person")
    end = until(world, 20.0) if ends_by_itself else None
    assert freeze(person.lock, Freeze(reason="r", author="p", since=1.0, until=end)) is None
    if not ends_by_itself:
        world.clock.after(20.0, lambda: unfreeze(person.lock))

    acquired = world.client("a").hold(wait=60)

    # Known to end: looked at just then. Else at the next poll.
    assert 20.0 <= acquired.waited <= 21.5


def test_holders_go_on_while_the_lock_is_frozen() -> None:
    world = World()
    holder = world.client("holder")
    lease = holder.hold().lease
    freeze(world.client("p").lock, Freeze(reason="r", author="p", since=1.0, until=None))

    renewed = holder.lock.renew(lease)

    assert getattr(renewed, "revision", 0) > lease.revision


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_freeze_whose_answer_is_lost_is_the_same_at_the_second_call(moment: Moment) -> None:
    world = World()
    person = world.client("p", fault=nth_write(1, moment))
    frozen = Freeze(reason="r", author="p", since=1.0, until=None)
    with pytest.raises(OutcomeUnknown):
        freeze(person.lock, frozen)

    replaced = freeze(person.lock, frozen)

    assert replaced is None
    record = person.lock.read().record
    assert record is not None
    assert record.frozen == frozen


def test_a_second_freeze_replaces_the_first_and_tells_it() -> None:
    world = World()
    person = world.client("p")
    first = Freeze(reason="r", author="p", since=1.0, until=None)
    freeze(person.lock, first)

    assert freeze(person.lock, replace(first, reason="longer")) == first
    ended = unfreeze(person.lock)
    assert ended is not None
    assert ended.reason == "longer"
    assert unfreeze(person.lock) is None
