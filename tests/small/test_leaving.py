"""Leaving, and ending what another process of the job began, while the server hardly answers."""

from dataclasses import replace

import pytest

from gcs_ci_lock.errors import Denied, OutcomeUnknown, StorageUnreachable
from gcs_ci_lock.locking.outcome import Acquired, Stopped
from gcs_ci_lock.locking.retry import release
from gcs_ci_lock.protocol.ticket_metadata import encode_ticket
from gcs_ci_lock.storage.memory import Moment, Request
from tests.support.fakes import Client, Fault, World
from tests.support.faults import Outage

pytestmark = pytest.mark.fault


def failing(method: str, times: int, *, when: Moment = "before", path: str = "") -> Fault:
    """Lose the first so many answers to a method."""
    left = times

    def fault(request: Request, moment: Moment) -> None:
        nonlocal left
        if request.method == method and moment == when and path in request.path and left:
            left -= 1
            message = "no answer"
            raise OutcomeUnknown(message)

    return fault


def stopped_while_waiting(world: World, client: Client) -> Stopped:
    world.client("holder", ttl=600).hold()
    world.clock.after(5.0, client.stop.set)
    outcome = client.acquire()
    assert isinstance(outcome, Stopped)
    return outcome


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_ticket_goes_although_the_first_answers_to_its_deletion_are_lost(when: Moment) -> None:
    world = World()
    client = world.client("a", fault=failing("delete", 3, when=when))

    stopped_while_waiting(world, client)

    assert world.tickets() == []


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


def test_a_server_that_stays_silent_is_left_after_some_seconds() -> None:
    world, outage = World(), Outage()
    client = world.client("a", fault=outage)
    world.clock.after(4.0, lambda: setattr(outage, "down", True))

    stopped = stopped_while_waiting(world, client)

    # Told to stop at 5 s; ten more to clean up, and the last pause.
    assert 5.0 <= stopped.waited <= 5.0 + 10.0 + 8.0
    assert len(world.tickets()) == 1


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


def test_a_release_that_is_never_answered_says_so() -> None:
    world, outage = World(), Outage()
    lease = world.client("a").hold().lease
    post = world.client("post", fault=outage)
    outage.down = True
    began = world.clock.now

    with pytest.raises(StorageUnreachable):
        release(post.lock, lease.id, random=post.random)

    assert 20.0 <= world.clock.now - began <= 28.0
