"""A waiter's own ticket: written, refreshed, found again, passed on, and deleted."""

from dataclasses import replace

import pytest

from gcs_ci_lock.protocol.ticket_metadata import encode_ticket
from tests.support.fakes import PATHS, World
from tests.support.faults import nth_write
from tests.support.samples import ALICE
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
