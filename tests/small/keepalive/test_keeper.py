"""Renewing a lease, and losing it."""

import threading

import pytest

from gcs_ci_lock.errors import RecordInvalid
from gcs_ci_lock.keepalive.keeper import Keeper, KeeperStopped
from gcs_ci_lock.locking.lease import Lost
from gcs_ci_lock.protocol.timing import Timing
from gcs_ci_lock.storage.memory import Moment, Request
from tests.support.fakes import PATHS, World
from tests.support.faults import Outage

pytestmark = pytest.mark.example


def test_a_renewal_is_one_write_due_an_interval_after_the_send_of_the_last() -> None:
    world = World()
    client = world.client("a")
    keeper = client.keeper(client.hold())
    before = len(client.store.requests)
    world.clock.after(70.0, client.stop.set)

    result = keeper.run(client.stop)

    assert isinstance(result, KeeperStopped)
    assert keeper.renewals == 3
    assert [r.method for r in client.store.requests[before:]] == ["write"] * 3


def test_a_holder_that_cannot_renew_gives_up_exactly_at_give_up() -> None:
    world = World()
    outage = Outage()
    client = world.client("a", fault=outage)
    acquired = client.hold()
    outage.down = True

    result = client.keeper(acquired).run(client.stop)

    assert isinstance(result, Lost)
    assert "could not be renewed for 1m20s" in result.message
    assert "connection refused" in result.message
    assert world.clock.now == pytest.approx(acquired.lease.sent_at + 80.0, abs=0.01)


def test_an_outage_of_half_of_give_up_is_no_loss() -> None:
    world = World()
    outage = Outage()
    client = world.client("a", fault=outage)
    keeper = client.keeper(client.hold())
    world.clock.after(21.0, lambda: setattr(outage, "down", True))
    world.clock.after(61.0, lambda: setattr(outage, "down", False))
    world.clock.after(120.0, client.stop.set)

    result = keeper.run(client.stop)

    assert isinstance(result, KeeperStopped)
    assert keeper.lost() is None


def test_a_lease_that_was_taken_over_is_lost_with_the_reason() -> None:
    world = World()
    sleeper = world.client("a")
    keeper = sleeper.keeper(sleeper.hold())
    world.clock.sleep(122.0)
    world.client("b").hold(wait=10)

    lost = keeper.lost()

    assert lost is not None
    assert "could not be renewed" in lost.message


def test_a_lease_that_left_the_record_is_lost_at_the_next_renewal() -> None:
    world = World()
    client = world.client("a")
    keeper = client.keeper(client.hold())
    began = world.clock.now
    world.clock.after(5.0, lambda: world.bucket.objects.pop(PATHS.record))

    result = keeper.run(client.stop)

    assert isinstance(result, Lost)
    assert "deleted or replaced" in result.message
    assert world.clock.now - began <= 22.0


def test_a_renewal_that_hangs_does_not_delay_the_loss() -> None:
    world = World()
    client = world.client("a")
    keeper = client.keeper(client.hold())
    seen: list[Lost | None] = []

    def hang(request: Request, when: Moment) -> None:
        if request.method == "write" and when == "before":
            world.clock.sleep(500.0)

    world.clock.after(79.0, lambda: seen.append(keeper.lost()))
    world.clock.after(80.0, lambda: seen.append(keeper.lost()))
    client.store._fault = hang  # noqa: SLF001 - from now on
    result = keeper.run(client.stop)

    assert seen[0] is None
    assert isinstance(seen[1], Lost)
    # The write that came through at last does not bring the lease back.
    assert isinstance(result, Lost)


def test_after_max_hold_the_lease_is_renewed_no_more() -> None:
    world = World()
    client = world.client("a")
    keeper = client.keeper(client.hold(), max_hold=50.0)
    began = world.clock.now

    result = keeper.run(client.stop)

    assert isinstance(result, Lost)
    assert "max-hold" in result.message
    assert world.clock.now - began == pytest.approx(50.0, abs=0.01)


def test_a_damaged_record_is_survived_until_give_up_and_left_as_it_is() -> None:
    world = World()
    client = world.client("a")
    acquired = client.hold()
    generation = world.bucket.objects[PATHS.record].entry.generation
    other = world.client("x").store
    other.write(PATHS.record, b"damaged", generation=generation, timeout=1)

    with pytest.raises(RecordInvalid):
        client.lock.renew(acquired.lease)
    result = client.keeper(acquired).run(client.stop)

    assert isinstance(result, Lost)
    assert "not valid" in result.message
    assert world.record_body() == b"damaged"


def test_one_keeper_never_has_two_writes_in_flight() -> None:
    world = World()
    client = world.client("a")
    guard = threading.Lock()

    def one_at_a_time(_request: Request, when: Moment) -> None:
        if when == "before":
            assert guard.acquire(blocking=False)
        else:
            guard.release()

    client.store._fault = one_at_a_time  # noqa: SLF001
    keeper = client.keeper(client.hold())
    world.clock.after(200.0, client.stop.set)

    assert isinstance(keeper.run(client.stop), KeeperStopped)


def test_a_keeper_knows_the_lease_as_last_acknowledged() -> None:
    world = World()
    client = world.client("a")
    acquired = client.hold()
    keeper = client.keeper(acquired)
    before = keeper.lease
    world.clock.after(30.0, client.stop.set)

    keeper.run(client.stop)

    assert before == acquired.lease
    assert keeper.lease.expires_at > before.expires_at
    assert keeper.lease.id == before.id


def test_a_lease_without_renewal_is_held_without_a_request_until_max_hold() -> None:
    world = World()
    client = world.client("a")
    client.timing = client.lock.timing = Timing.without_renewal(600.0)
    lease = client.hold().lease
    asked = len(client.store.requests)
    keeper = Keeper(client.lock, lease, random=client.random, max_hold=300.0, began=lease.sent_at)

    lost = keeper.run(client.stop)

    assert isinstance(lost, Lost)
    assert "max-hold (5m00s) is over" in lost.message
    assert (keeper.renewals, len(client.store.requests)) == (0, asked)


def test_a_lease_without_renewal_ends_at_the_stop() -> None:
    world = World()
    client = world.client("a")
    client.timing = client.lock.timing = Timing.without_renewal(600.0)
    lease = client.hold().lease
    keeper = Keeper(client.lock, lease, random=client.random, max_hold=300.0, began=lease.sent_at)
    client.stop.set()

    assert isinstance(keeper.run(client.stop), KeeperStopped)
