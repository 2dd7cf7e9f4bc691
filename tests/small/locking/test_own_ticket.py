"""A waiter's own ticket: written, refreshed, found again, passed on, and deleted."""

import math
from dataclasses import replace

import pytest

from gcs_ci_lock.errors import OutcomeUnknown, StoreError
from gcs_ci_lock.locking.own_ticket import OwnTicket, delete_abandoned
from gcs_ci_lock.protocol.queue import NOT_ASKED, REFRESH_EVERY
from gcs_ci_lock.protocol.server_time import Interval
from gcs_ci_lock.protocol.ticket_metadata import encode_ticket
from gcs_ci_lock.storage.memory import Moment, Request
from tests.support.fakes import PATHS, Client, World
from tests.support.faults import failing, nth_write
from tests.support.samples import ALICE, CLAIMANT, TICKET
from tests.support.waiters import queue_and_vanish, run_of_job, stopped_while_waiting


@pytest.mark.example
def test_a_ticket_is_refreshed_every_half_minute_and_keeps_its_arrival() -> None:
    world = World()
    world.client("holder", ttl=600).hold()
    client = world.client("a")

    client.acquire(wait=100)

    tickets = [r for r in client.store.requests if r.method == "write"]
    assert len(tickets) == 4


@pytest.mark.example
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


@pytest.mark.example
def test_a_ticket_whose_answer_was_lost_is_looked_for_before_it_is_written_again() -> None:
    world = World()
    world.client("holder", ttl=600).hold()
    client = world.client("a", fault=nth_write(1, "after", path_end="a-1"))

    client.acquire(wait=20)

    methods = [r.method for r in client.store.requests]
    first = methods.index("write")
    assert "list" in methods[first:]
    assert methods[first + 1 :].index("list") < methods[first + 1 :].index("write")


@pytest.mark.fault
def test_a_ticket_that_changed_meanwhile_is_found_again_and_goes() -> None:
    world = World()
    client = world.client("a")
    rival = world.client("rival")

    def supersede() -> None:
        (ticket,) = rival.lock.tickets()
        path = rival.lock.paths.ticket(ticket.lease)
        metadata = encode_ticket(replace(ticket, superseded_by="newer"))
        rival.store.write(path, b"", generation=ticket.generation, metadata=metadata, timeout=1)

    world.clock.after(4.9, supersede)
    stopped_while_waiting(world, client)

    assert [p for p in world.bucket.objects if "queue" in p] == []


@pytest.mark.example
def test_a_newer_run_tells_the_older_one_and_stands_in_its_place() -> None:
    world = World()
    holder = world.client("holder")
    lease = holder.hold().lease.id
    older, newer = run_of_job(world, "older"), run_of_job(world, "newer")
    queue_and_vanish(older, newest=True)
    between = world.client("between")
    queue_and_vanish(between)

    world.clock.after(5.0, lambda: holder.lock.release(lease))
    acquired = newer.hold(wait=60, newest=True)

    # `between` came before it, and stands behind the place that it has taken over.
    assert acquired.waited < 7
    ahead = newer.diary.looks[0].position
    assert ahead is not None
    assert ahead.rank == 1
    tickets = {t.lease: t for t in newer.lock.tickets()}
    assert tickets[older.diary.leases[0]].superseded_by == newer.diary.leases[0]


@pytest.mark.example
def test_pushes_again_and_again_do_not_starve_their_line() -> None:
    world = World()
    holder = world.client("holder", ttl=600)
    lease = holder.hold().lease.id
    queue_and_vanish(run_of_job(world, "push0"), newest=True)
    queue_and_vanish(world.client("other"))
    for number in range(1, 5):
        world.clock.sleep(20.0)
        queue_and_vanish(run_of_job(world, f"push{number}"), newest=True)
    holder.lock.release(lease)

    acquired = run_of_job(world, "last").hold(wait=60, newest=True)

    assert acquired.waited < 1


@pytest.mark.example
def test_a_rewriting_of_the_older_ticket_that_fails_is_made_up_for() -> None:
    world = World()
    world.client("holder", ttl=600).hold()
    older = run_of_job(world, "older")
    queue_and_vanish(older, newest=True)
    newer = world.client("newer", fault=nth_write(1, "before", path_end="older-1"))
    newer.owner = ALICE

    queue_and_vanish(newer, newest=True, seconds=5.0)

    tickets = {t.lease: t for t in newer.lock.tickets()}
    assert tickets[older.diary.leases[0]].superseded_by == newer.diary.leases[0]


def own_ticket(client: Client) -> OwnTicket:
    client.lock.read()
    return OwnTicket(client.lock, replace(CLAIMANT, lease="mine"))


@pytest.mark.example
def test_before_the_first_write_there_is_nothing_to_list_or_to_delete() -> None:
    client = World().client("a")
    ticket = own_ticket(client)

    ticket.delete()

    assert (ticket.may_exist, ticket.needs_listing) == (False, False)
    assert [request.method for request in client.store.requests] == ["read"]


@pytest.mark.example
def test_a_ticket_is_written_once_in_half_a_minute_and_then_deleted() -> None:
    world = World()
    client = world.client("a")
    ticket = own_ticket(client)

    for _ in range(4):
        ticket.refresh()
        world.clock.sleep(REFRESH_EVERY / 3)
    stood = world.tickets()
    ticket.delete()

    assert client.count("write") == 2
    assert stood == ["mine"]
    assert not ticket.may_exist
    assert world.tickets() == []


@pytest.mark.fault
@pytest.mark.parametrize("moment", ["before", "after"])
def test_after_a_lost_answer_only_a_listing_tells_whether_there_is_a_ticket(
    moment: Moment,
) -> None:
    world = World()
    client = world.client("a", fault=nth_write(1, moment, path_end="mine"))
    ticket = own_ticket(client)
    with pytest.raises(OutcomeUnknown):
        ticket.refresh()

    ticket.refresh()
    assert (ticket.needs_listing, ticket.may_exist, client.count("write")) == (True, True, 1)
    ticket.sync(client.lock.tickets())

    assert not ticket.needs_listing
    assert ticket.may_exist is (moment == "after")
    assert math.isfinite(ticket.claimant.arrival) is (moment == "after")


@pytest.mark.fault
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_ticket_whose_deletion_was_not_answered_is_looked_for(moment: Moment) -> None:
    world = World()
    client = world.client("a", fault=failing("delete", 1, when=moment))
    ticket = own_ticket(client)
    ticket.refresh()
    with pytest.raises(OutcomeUnknown):
        ticket.delete()

    looked_for = ticket.needs_listing
    ticket.delete()

    assert looked_for
    assert not ticket.may_exist
    assert world.tickets() == []


@pytest.mark.fault
def test_a_ticket_that_changes_again_and_again_is_left_to_die() -> None:
    world = World()
    rival = world.client("rival")

    def fault(request: Request, when: Moment) -> None:
        if request.method == "delete" and when == "before":
            (there,) = rival.lock.tickets()
            rival.store.write(request.path, b"", generation=there.generation, timeout=1)
            entry = world.bucket.objects[request.path].entry
            metadata = encode_ticket(there)
            rival.store.write(
                request.path, b"", generation=entry.generation, metadata=metadata, timeout=1
            )

    client = world.client("a", fault=fault)
    ticket = own_ticket(client)
    ticket.refresh()

    with pytest.raises(StoreError, match="ticket mine keeps changing: it could not be deleted"):
        ticket.delete()

    assert ticket.may_exist


@pytest.mark.example
def test_a_new_lease_keeps_the_arrival_of_the_old_ticket() -> None:
    world = World()
    client = world.client("a")
    ticket = own_ticket(client)
    ticket.refresh()
    world.clock.sleep(50.0)

    successor = ticket.with_lease("next")
    successor.refresh()

    old, new = (t for name in ("mine", "next") for t in client.lock.tickets() if t.lease == name)
    assert (new.arrival, new.created) == (old.arrival, old.created)
    assert new.refreshed_at > old.refreshed_at
    assert not ticket.with_lease("never").may_exist


@pytest.mark.example
def test_only_the_first_read_dates_the_request() -> None:
    client = World().client("a")
    ticket = own_ticket(client)
    ticket.claimant = replace(ticket.claimant, asked=NOT_ASKED)

    ticket.note_first_read(Interval(earliest=7.0, latest=8.0))
    ticket.note_first_read(Interval(earliest=70.0, latest=80.0))

    assert ticket.claimant.asked == Interval(earliest=7.0, latest=8.0)


@pytest.mark.example
@pytest.mark.parametrize(("seconds", "deleted"), [(0.0, 0), (0.01, 20)])
def test_abandoned_tickets_are_deleted_up_to_a_moment_and_a_number(
    seconds: float, deleted: int
) -> None:
    world = World()
    client = world.client("a")
    for number in range(25):
        path = PATHS.ticket(f"k{number:02}")
        client.store.write(path, b"", generation=0, metadata=encode_ticket(TICKET), timeout=1)
    tickets = client.lock.tickets()
    assert len(tickets) == 25

    delete_abandoned(client.lock, tickets, until=world.clock.now + seconds)

    assert len(world.tickets()) == 25 - deleted


@pytest.mark.fault
def test_abandoned_tickets_are_deleted_no_further_than_the_clock_allows() -> None:
    world = World()

    def slow(request: Request, when: Moment) -> None:
        if request.method == "delete" and when == "after":
            world.clock.sleep(1.0)

    client = world.client("a", fault=slow)
    for number in range(5):
        path = PATHS.ticket(f"k{number}")
        client.store.write(path, b"", generation=0, metadata=encode_ticket(TICKET), timeout=1)

    delete_abandoned(client.lock, client.lock.tickets(), until=world.clock.now + 2.5)

    assert len(world.tickets()) == 2
