"""Waiting for a lock: the queue, its places, and who enters when."""

import pytest

from gcs_ci_lock.errors import OutcomeUnknown, StorageUnreachable
from gcs_ci_lock.locking.outcome import Acquired, Stopped, TimedOut
from gcs_ci_lock.protocol.slots import UNLIMITED
from gcs_ci_lock.storage.memory import Moment, Request
from tests.support.fakes import PATHS, Client, World
from tests.support.faults import Outage, nth_write

pytestmark = pytest.mark.example


def queue_up(world: World, client: Client) -> None:
    """Let a client take its place in the queue and fall asleep there for ever."""
    client.clock.after(0.5, client.stop.set)
    waiter = client.waiter()
    waiter._withdraw = lambda: None  # type: ignore[method-assign]  # noqa: SLF001 - it just dies
    assert isinstance(waiter.run(), Stopped)
    assert client.diary.leases[0] in world.tickets()


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


def test_who_came_first_goes_first() -> None:
    world = World()
    holder, early = world.client("holder"), world.client("early")
    lease = holder.hold().lease.id
    queue_up(world, early)
    world.clock.after(2.0, lambda: holder.lock.release(lease))
    late = world.client("late")
    # The early one is asleep: the late one sees a free lock at 2 s and lets it go first for 6 s.
    acquired = late.hold(wait=60)

    assert 8.0 <= acquired.waited <= 10.5


def test_a_waiter_whose_ticket_is_dead_keeps_nobody_waiting() -> None:
    world = World()
    holder = world.client("holder", ttl=600)
    lease = holder.hold().lease.id
    queue_up(world, world.client("dead"))
    world.clock.sleep(95.0)
    holder.lock.release(lease)

    acquired = world.client("a").hold(wait=60)

    assert acquired.waited < 0.5
    assert world.tickets() == []


def test_a_ticket_is_refreshed_every_half_minute_and_keeps_its_arrival() -> None:
    world = World()
    world.client("holder", ttl=600).hold()
    client = world.client("a")

    client.acquire(wait=100)

    tickets = [r for r in client.store.requests if r.method == "write"]
    assert len(tickets) == 4


def test_a_swept_ticket_is_written_again_with_its_first_arrival() -> None:
    world = World()
    world.client("holder", ttl=600).hold()
    client = world.client("a")
    arrivals: list[str] = []

    def sweep() -> None:
        path = next(p for p in world.bucket.objects if PATHS.queue in p)
        arrivals.append(world.bucket.objects[path].entry.created_text)
        del world.bucket.objects[path]

    def look() -> None:
        path = next(p for p in world.bucket.objects if PATHS.queue in p)
        arrivals.append(world.bucket.objects[path].entry.metadata["arrival"])

    world.clock.after(5.0, sweep)
    world.clock.after(70.0, look)
    client.acquire(wait=80)

    assert arrivals[0] == arrivals[1]


def test_a_ticket_whose_answer_was_lost_is_looked_for_before_it_is_written_again() -> None:
    world = World()
    world.client("holder", ttl=600).hold()
    client = world.client("a", fault=nth_write(1, "after", path_end="a-1"))

    client.acquire(wait=20)

    methods = [r.method for r in client.store.requests]
    first = methods.index("write")
    assert "list" in methods[first:]
    assert methods[first + 1 :].index("list") < methods[first + 1 :].index("write")


def test_with_room_for_two_two_enter_at_once_and_the_third_waits() -> None:
    world = World()
    first = world.client("a").hold(slots=2)
    second = world.client("b").hold(slots=2)

    third = world.client("c").acquire(wait=0, slots=2)

    assert second.lease.token == first.lease.token + 1
    assert isinstance(third, TimedOut)


def test_a_reader_does_not_overtake_a_waiting_writer() -> None:
    world = World()
    world.client("reader", ttl=600).hold(slots=UNLIMITED)
    queue_up(world, world.client("writer"))

    outcome = world.client("late-reader").acquire(wait=30, slots=UNLIMITED)

    assert isinstance(outcome, TimedOut)


def test_waiting_costs_no_more_than_a_read_a_second_and_few_listings() -> None:
    world = World()
    world.client("holder", ttl=600).hold()
    client = world.client("a")

    client.acquire(wait=100)

    assert 90 <= client.count("read") <= 102
    assert client.count("list") <= 6


def test_a_beat_of_the_holder_makes_nobody_list_the_queue() -> None:
    world = World()
    holder = world.client("holder")
    lease = holder.hold().lease
    client = world.client("a")
    world.clock.after(5.0, lambda: holder.lock.renew(lease))

    client.acquire(wait=20)

    assert client.count("list") == 1


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


def test_hostile_objects_in_the_queue_stop_nobody() -> None:
    world = World()
    holder = world.client("holder")
    lease = holder.hold().lease.id
    for number in range(50):
        holder.store.write(
            f"{PATHS.queue}forged-{number}",
            b"x" * 100,
            generation=0,
            metadata={"schema": "1", "slots": "-1", "owner": "[" * 10_000, "ttl": "nan"},
            timeout=1,
        )
    holder.lock.release(lease)

    acquired = world.client("a").hold(wait=30)

    assert acquired.waited < 1


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

    queue_up(world, client)
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
