"""Acquiring a lock: when it is entered, what it costs, and what is left of a wait."""

import pytest

from gcs_ci_lock.errors import BucketMissing, Denied, OutcomeUnknown, StorageUnreachable
from gcs_ci_lock.locking.outcome import Acquired, Obsolete, Released, Stopped, TimedOut
from gcs_ci_lock.protocol.obsolete import Outdated
from gcs_ci_lock.storage.memory import Moment, Request
from tests.support.fakes import PATHS, World
from tests.support.faults import Outage, nth_write
from tests.support.waiters import queue_and_vanish, run_of_job

pytestmark = pytest.mark.example


def test_an_uncontended_claim_takes_two_requests_and_its_release_one() -> None:
    world = World()
    client = world.client("a")

    acquired = client.hold()
    claim = list(client.store.requests)
    released = client.lock.release(acquired.lease.id)

    assert [request.method for request in claim] == ["read", "write"]
    assert isinstance(released, Released)
    assert [request.method for request in client.store.requests[2:]] == ["write"]


def test_a_lock_released_a_moment_ago_takes_one_listing_more() -> None:
    world = World()
    first, second = world.client("a"), world.client("b")
    first.lock.release(first.hold().lease.id)

    second.hold()

    assert [request.method for request in second.store.requests] == ["read", "list", "write"]


def test_a_claim_whose_answer_is_lost_is_found_and_dated_by_its_own_send() -> None:
    world = World()
    client = world.client("a", fault=nth_write(1, "after"))

    began = world.clock.now
    acquired = client.hold()

    assert acquired.lease.sent_at == began
    assert client.count("write") == 1
    assert world.clock.now > began


def test_a_refused_claim_starts_again_with_a_listing() -> None:
    world = World()
    rival = world.client("rival")

    def rival_is_quicker(request: Request, when: Moment) -> None:
        if request.method == "write" and when == "before" and not rival.store.requests:
            rival.hold()

    client = world.client("a", fault=rival_is_quicker)
    outcome = client.acquire(wait=0)

    assert isinstance(outcome, TimedOut)
    assert [r.method for r in client.store.requests] == ["read", "write", "read", "list"]
    assert outcome.status.record.holders[0].owner.actor == "rival"


def test_a_claim_that_nobody_wants_any_more_is_released_at_once() -> None:
    world = World()
    client = world.client("a")

    def stop_meanwhile(request: Request, when: Moment) -> None:
        if request.method == "write" and when == "before":
            client.stop.set()

    client.store._fault = stop_meanwhile  # noqa: SLF001
    outcome = client.acquire()

    assert isinstance(outcome, Stopped)
    record = world.client("other").lock.read().record
    assert record is not None
    assert record.holders == ()


@pytest.mark.parametrize("error", [Denied("no"), BucketMissing("no")])
def test_a_refusal_ends_the_wait_at_once(error: Exception) -> None:
    world = World()

    def refuse(_request: Request, _when: Moment) -> None:
        raise error

    client = world.client("a", fault=refuse)

    with pytest.raises(type(error)):
        client.acquire()
    assert len(client.store.requests) == 1


def test_one_try_on_a_held_lock_names_the_holder_and_leaves_no_ticket() -> None:
    world = World()
    world.client("holder").hold()
    client = world.client("a")

    outcome = client.acquire(wait=0)

    assert isinstance(outcome, TimedOut)
    assert outcome.status.record.holders[0].owner.actor == "holder"
    assert client.count("write") == 0


def test_a_waiter_enters_within_a_poll_of_the_release_and_its_ticket_goes() -> None:
    world = World()
    holder, client = world.client("holder"), world.client("a")
    lease = holder.hold().lease.id
    world.clock.after(10.3, lambda: holder.lock.release(lease))

    acquired = client.hold(wait=60)

    assert 10.3 <= acquired.waited <= 11.4
    assert world.tickets() == []


def test_a_waiter_gives_up_at_the_end_of_its_budget_and_its_ticket_goes() -> None:
    world = World()
    world.client("holder", ttl=600).hold()
    client = world.client("a")

    outcome = client.acquire(wait=20)

    assert isinstance(outcome, TimedOut)
    assert 20 <= outcome.status.waited < 20.1
    assert world.tickets() == []


def test_a_dead_holders_place_is_free_after_its_ttl_and_not_before() -> None:
    world = World()
    dead = world.client("dead", ttl=30).hold()
    stamped = dead.lease.expires_at
    client = world.client("a")

    client.hold(wait=60)

    true_time = world.bucket.server_time()
    assert stamped <= true_time <= stamped + 1.5


def test_a_stopped_waiter_takes_its_ticket_along() -> None:
    world = World()
    world.client("holder").hold()
    client = world.client("a")
    world.clock.after(7.0, client.stop.set)

    outcome = client.acquire()

    assert isinstance(outcome, Stopped)
    assert outcome.waited < 9.0
    assert world.tickets() == []


def test_with_room_for_two_two_enter_at_once_and_the_third_waits() -> None:
    world = World()
    first = world.client("a").hold(slots=2)
    second = world.client("b").hold(slots=2)

    third = world.client("c").acquire(wait=0, slots=2)

    assert second.lease.token == first.lease.token + 1
    assert isinstance(third, TimedOut)


def test_waiting_costs_no_more_than_a_read_a_second_and_few_listings() -> None:
    world = World()
    world.client("holder", ttl=600).hold()
    client = world.client("a")

    client.acquire(wait=100)

    assert 90 <= client.count("read") <= 102
    assert client.count("list") <= 6


def test_an_outage_shorter_than_the_wait_is_survived() -> None:
    world = World()
    outage = Outage()
    holder = world.client("holder")
    lease = holder.hold().lease.id
    client = world.client("a", fault=outage)
    world.clock.after(5.0, lambda: setattr(outage, "down", True))
    world.clock.after(12.0, lambda: holder.lock.release(lease))
    world.clock.after(40.0, lambda: setattr(outage, "down", False))

    acquired = client.hold(wait=120)

    assert acquired.waited < 60
    assert any(look.trouble for look in client.diary.looks)


@pytest.mark.parametrize(("wait", "least", "most"), [(0, 10, 20), (1800, 60, 70)])
def test_a_server_that_never_answers_is_told_as_unreachable(
    wait: float, least: float, most: float
) -> None:
    world = World()
    outage = Outage()
    outage.down = True
    began = world.clock.now

    with pytest.raises(StorageUnreachable, match="connection refused"):
        world.client("a", fault=outage).acquire(wait=wait)

    assert least <= world.clock.now - began <= most


def frozen(until: str) -> bytes:
    """Return a record that somebody has frozen."""
    return (
        '{"schema":1,"name":"prod","fence":7,"freed_at":0,"holders":[],"sequences":{},'
        f'"history":[],"frozen":{{"reason":"audit","author":"eve","since":0,"until":{until}}}}}'
    ).encode()


def test_an_expired_freeze_lets_in_and_a_lasting_one_does_not() -> None:
    world = World()
    client = world.client("a")
    until = world.bucket.server_time() + 20
    client.store.write(PATHS.record, frozen(str(until)), generation=0, timeout=1)

    early = world.client("b").acquire(wait=5)
    acquired = client.hold(wait=60)

    assert isinstance(early, TimedOut)
    assert early.status.record.frozen is not None
    assert isinstance(acquired, Acquired)
    assert world.bucket.server_time() >= until


def test_stale_answers_never_let_two_in() -> None:
    world = World()
    holder = world.client("holder", ttl=30)
    holder.hold()

    def slow(request: Request, when: Moment) -> None:
        if request.method == "read" and when == "after":
            world.clock.sleep(2.0)

    client = world.client("a", fault=slow, ttl=30)
    client.hold(wait=120)

    record = client.lock.read().record
    assert record is not None
    assert len(record.holders) == 1


def test_who_waits_for_an_unfreeze_has_a_ticket() -> None:
    world = World()
    world.client("x").store.write(PATHS.record, frozen("null"), generation=0, timeout=1)
    client = world.client("a")

    queue_and_vanish(client)
    late = world.client("late")
    late.clock.after(0.5, late.stop.set)
    late.acquire()

    assert world.tickets() == ["a-1"]
    position = late.diary.looks[-1].position
    assert position is not None
    assert [ticket.lease for ticket in position.ahead] == ["a-1"]


@pytest.mark.parametrize("wait", [0.0, 60.0])
@pytest.mark.parametrize(
    ("method", "path", "held"),
    [("write", "lock.json", False), ("write", "queue", True), ("list", "queue", True)],
    ids=["claims", "tickets", "listings"],
)
def test_a_server_that_answers_reads_only_holds_nobody_up_for_ever(
    method: str, path: str, *, held: bool, wait: float
) -> None:
    world = World()
    if held:
        world.client("holder", ttl=3600).hold()

    def refusing(request: Request, when: Moment) -> None:
        if request.method == method and path in request.path and when == "before":
            message = "503"
            raise OutcomeUnknown(message)

    client = world.client("a", fault=refusing)
    began = world.clock.now
    try:
        outcome = client.acquire(wait=wait)
    except StorageUnreachable:
        outcome = None

    assert outcome is None or isinstance(outcome, TimedOut)
    # A ticket that cannot be written costs the place, no more.
    assert (outcome is None) is not (method == "write" and held)
    assert world.clock.now - began < wait + 40


def test_an_outdated_one_ends_at_once_though_the_lock_is_held() -> None:
    world = World()
    newer = run_of_job(world, "newer")
    newer.hold(sequence=812)

    outcome = run_of_job(world, "older").acquire(sequence=811)

    assert outcome == Obsolete(waited=0.0, why=Outdated(sequence=811, granted=812))
    assert outcome.outcome == "outdated"


def test_one_that_becomes_outdated_while_it_waits_takes_its_ticket_along() -> None:
    world = World()
    holder = world.client("holder", ttl=600)
    lease = holder.hold().lease.id
    older, newer = run_of_job(world, "older"), run_of_job(world, "newer")

    def overtake() -> None:
        holder.lock.release(lease)
        newer.hold(wait=30, sequence=812, priority=9)

    world.clock.after(10.3, overtake)
    outcome = older.acquire(sequence=811)

    assert isinstance(outcome, Obsolete)
    assert world.tickets() == []
