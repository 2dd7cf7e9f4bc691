"""One contender among others: who goes first, who is superseded, and what is left behind."""

from dataclasses import replace

import pytest

from gcs_ci_lock.errors import Denied
from gcs_ci_lock.locking.contender import LIST_EVERY, Contender, Decided
from gcs_ci_lock.locking.outcome import Acquired, Obsolete, TimedOut
from gcs_ci_lock.locking.request import LockRequest
from gcs_ci_lock.protocol.admission import MayClaim
from gcs_ci_lock.protocol.obsolete import Superseded
from gcs_ci_lock.protocol.record import Record
from gcs_ci_lock.protocol.slots import UNLIMITED
from gcs_ci_lock.protocol.ticket_metadata import encode_ticket
from gcs_ci_lock.storage.memory import Moment, Request
from tests.support.fakes import PATHS, Client, World
from tests.support.faults import Outage, failing, nth_write
from tests.support.samples import ALICE, TICKET
from tests.support.waiters import queue_and_vanish, run_of_job, stopped_while_waiting


@pytest.mark.example
def test_who_came_first_goes_first() -> None:
    world = World()
    holder, early = world.client("holder"), world.client("early")
    lease = holder.hold().lease.id
    queue_and_vanish(early)
    world.clock.after(2.0, lambda: holder.lock.release(lease))
    late = world.client("late")
    # The early one is asleep: the late one sees a free lock at 2 s and lets it go first for 6 s.
    acquired = late.hold(wait=60)

    assert 8.0 <= acquired.waited <= 10.5


@pytest.mark.example
def test_a_waiter_whose_ticket_is_dead_keeps_nobody_waiting() -> None:
    world = World()
    holder = world.client("holder", ttl=600)
    lease = holder.hold().lease.id
    queue_and_vanish(world.client("dead"))
    world.clock.sleep(95.0)
    holder.lock.release(lease)

    acquired = world.client("a").hold(wait=60)

    assert acquired.waited < 0.5
    assert world.tickets() == []


@pytest.mark.example
def test_a_reader_does_not_overtake_a_waiting_writer() -> None:
    world = World()
    world.client("reader", ttl=600).hold(slots=UNLIMITED)
    queue_and_vanish(world.client("writer"))

    outcome = world.client("late-reader").acquire(wait=30, slots=UNLIMITED)

    assert isinstance(outcome, TimedOut)


@pytest.mark.example
def test_a_beat_of_the_holder_makes_nobody_list_the_queue() -> None:
    world = World()
    holder = world.client("holder")
    lease = holder.hold().lease
    client = world.client("a")
    world.clock.after(5.0, lambda: holder.lock.renew(lease))

    client.acquire(wait=20)

    assert client.count("list") == 1


@pytest.mark.example
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


@pytest.mark.fault
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_ticket_goes_although_the_first_answers_to_its_deletion_are_lost(when: Moment) -> None:
    world = World()
    client = world.client("a", fault=failing("delete", 3, when=when))

    stopped_while_waiting(world, client)

    assert world.tickets() == []


@pytest.mark.fault
def test_a_server_that_stays_silent_is_left_after_some_seconds() -> None:
    world, outage = World(), Outage()
    client = world.client("a", fault=outage)
    world.clock.after(4.0, lambda: setattr(outage, "down", True))

    stopped = stopped_while_waiting(world, client)

    # Told to stop at 5 s; ten more to clean up, and the last pause.
    assert 5.0 <= stopped.waited <= 5.0 + 10.0 + 8.0
    assert len(world.tickets()) == 1


@pytest.mark.fault
def test_a_denial_while_leaving_is_no_reason_to_stay() -> None:
    world = World()
    denied = {"now": False}

    def fault(_request: Request, when: Moment) -> None:
        if denied["now"] and when == "before":
            message = "no"
            raise Denied(message)

    client = world.client("a", fault=fault)
    world.clock.after(4.99, lambda: denied.update(now=True))

    stopped_while_waiting(world, client)

    assert len(world.tickets()) == 1


@pytest.mark.fault
def test_a_waiter_whose_cleaning_up_fails_has_the_lock_all_the_same() -> None:
    world = World()
    holder = world.client("holder")
    lease = holder.hold().lease.id
    client = world.client("a", fault=failing("delete", 100))
    world.clock.after(3.0, lambda: holder.lock.release(lease))

    outcome = client.acquire()

    assert isinstance(outcome, Acquired)
    # Its ticket is still there, and keeps nobody waiting: its lease is among the holders.
    assert len(world.tickets()) == 1
    client.lock.release(outcome.lease.id)
    assert world.client("b").hold(wait=5).waited < 1


@pytest.mark.example
def test_an_older_waiter_ends_within_a_refresh_of_its_ticket() -> None:
    world = World()
    world.client("holder", ttl=600).hold()
    older, newer = run_of_job(world, "older"), run_of_job(world, "newer")
    world.clock.after(10.0, lambda: queue_and_vanish(newer, newest=True, seconds=3.0))

    outcome = older.acquire(newest=True)

    assert isinstance(outcome, Obsolete)
    assert outcome.why == Superseded(by=newer.diary.leases[0])
    assert 28 < outcome.waited < 36
    assert older.diary.leases[0] not in world.tickets()


@pytest.mark.example
def test_an_older_waiter_that_slept_through_all_of_it_never_runs_after_the_newer() -> None:
    world = World()
    holder = world.client("holder", ttl=600)
    lease = holder.hold().lease.id
    older, newer = run_of_job(world, "older"), run_of_job(world, "newer")

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


@pytest.mark.example
def test_a_place_is_not_taken_over_from_one_that_was_served() -> None:
    world = World()
    first = run_of_job(world, "first").hold(newest=True)
    queue_and_vanish(world.client("other"))
    late = run_of_job(world, "late")
    queue_and_vanish(late, newest=True)

    assert first.lease.token
    look = late.diary.looks[-1].position
    assert look is not None
    assert look.rank == 2


@pytest.mark.example
def test_a_higher_priority_goes_before_those_who_came_earlier() -> None:
    world = World()
    holder = world.client("holder", ttl=600)
    lease = holder.hold().lease.id
    queue_and_vanish(world.client("early"))
    world.clock.after(5.0, lambda: holder.lock.release(lease))

    acquired = world.client("urgent").hold(wait=60, priority=9)

    assert acquired.waited < 7


def contender(client: Client, *, wait: float = 1800.0) -> Contender:
    request = LockRequest(paths=PATHS, owner=ALICE, timing=client.timing, wait=wait)
    return Contender(client.lock, request, "mine")


def decided(client: Client, contender: Contender) -> tuple[Record, Decided]:
    """Let a contender look and decide."""
    stored = client.lock.read()
    now = client.lock.now()
    contender.note_first_read(now)
    record = stored.record or Record(name="prod", fence=1)
    return record, contender.decide(record, now.earliest)


@pytest.mark.example
@pytest.mark.parametrize(("wait", "tickets"), [(0.0, []), (9.0, ["mine"])])
def test_a_single_try_takes_no_place_in_the_queue(wait: float, tickets: list[str]) -> None:
    world = World()
    world.client("holder").hold()
    client = world.client("a")
    mine = contender(client, wait=wait)
    decided(client, mine)

    assert mine.refresh_ticket() == ""

    assert world.tickets() == tickets
    assert mine.may_leave_ticket is bool(tickets)


@pytest.mark.fault
def test_a_ticket_that_could_not_be_written_is_told_and_looked_for() -> None:
    world = World()
    world.client("holder").hold()
    client = world.client("a", fault=nth_write(1, "before", path_end="mine"))
    mine = contender(client)
    decided(client, mine)

    assert mine.refresh_ticket() == "no answer"
    assert mine.may_leave_ticket
    decided(client, mine)

    assert client.count("list") == 2
    assert not mine.may_leave_ticket


@pytest.mark.example
def test_a_queue_is_listed_anew_after_half_a_minute_or_a_change_of_the_holders() -> None:
    world = World()
    holder = world.client("holder", ttl=600)
    lease = holder.hold().lease.id
    client = world.client("a")
    mine = contender(client)
    listings = []

    for pause in (0.0, LIST_EVERY - 1, 1.0, 1.0):
        world.clock.sleep(pause)
        decided(client, mine)
        listings.append(client.count("list"))
    holder.lock.release(lease)
    world.client("next", ttl=600).hold(wait=9)
    decided(client, mine)

    assert listings == [1, 1, 2, 2]
    assert client.count("list") == 3


@pytest.mark.example
def test_a_queue_must_be_seen_unchanged_for_as_long_as_it_may_be_asleep() -> None:
    world = World()
    holder = world.client("holder", ttl=600)
    lease = holder.hold().lease.id
    queue_and_vanish(world.client("early"))
    client = world.client("a")
    mine = contender(client)
    decided(client, mine)
    mine.refresh_ticket()
    holder.lock.release(lease)

    def left() -> float:
        record, decision = decided(client, mine)
        assert isinstance(decision, MayClaim)
        assert decision.position is not None
        return mine.settle_time_left(
            decision.position, record, may_claim=True, read_at=world.clock.now
        )

    first = left()
    world.clock.sleep(4.0)
    second = left()
    # One more that came before it: what was seen has changed, and counts from now.
    urgent = encode_ticket(replace(TICKET, priority=9))
    client.store.write(PATHS.ticket("urgent"), b"", generation=0, metadata=urgent, timeout=1)
    changed = left()

    assert (first, second) == (6.0, 2.0)
    assert changed == 12.0


@pytest.mark.example
def test_all_that_are_alive_are_counted_and_the_contender_once() -> None:
    world = World()
    world.client("holder", ttl=600).hold()
    queue_and_vanish(world.client("early"))
    client = world.client("a")
    mine = contender(client)
    record, _ = decided(client, mine)
    before = mine.waiters(record, client.lock.now().earliest)
    mine.refresh_ticket()
    mine.invalidate()
    decided(client, mine)

    assert (before, mine.waiters(record, client.lock.now().earliest)) == (2, 2)
    # A ticket that nobody refreshed for a minute and a half is not counted.
    assert mine.waiters(record, client.lock.now().earliest + 90) == 1
