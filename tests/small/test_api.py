"""The Python API: a lease that a thread of this process renews."""

from collections.abc import Callable
from typing import Any, NoReturn

import pytest

from gcs_ci_lock import LeaseLost, Lock, NotAcquired, StorageUnreachable, UsageError, api
from gcs_ci_lock.api import Lease
from gcs_ci_lock.keepalive.held import HeldLock
from gcs_ci_lock.keepalive.thread import KeeperThread
from gcs_ci_lock.locking.admin import evict
from gcs_ci_lock.locking.lease import max_hold_over
from gcs_ci_lock.protocol.record import LossReason, PastLease, Record
from gcs_ci_lock.protocol.record_json import decode_record
from tests.support.fakes import PATHS, Client, World
from tests.support.faults import Outage
from tests.support.keepalives import FakeKeepAlive, connection_of, held_by_client, request_of

pytestmark = pytest.mark.example


def record(world: World) -> Record:
    return decode_record(world.record_body(), uri=PATHS.record_uri, name=PATHS.name)


def past(world: World) -> PastLease:
    return record(world).history[-1]


def lease_of(client: Client) -> Lease:
    """Return a lease as `Lock.acquire` does; its thread waits by the real clock."""
    acquired = client.hold()
    keepalive = KeeperThread(client.keeper(acquired, max_hold=600.0))
    held = HeldLock(client.lock, request_of(client), acquired, keepalive, random=client.random)
    held.start()
    return Lease(held)


def fail_after(action: Callable[[], object]) -> NoReturn:
    action()
    raise ZeroDivisionError


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def lock(world: World, monkeypatch: pytest.MonkeyPatch) -> Lock:
    """Return a lock whose bucket is in memory."""
    client = world.client("a")
    monkeypatch.setattr(api, "connect", lambda *_, **__: connection_of(client))
    return Lock("prod", bucket="gs://acme-locks", ttl="2m", max_hold="10m", reason="release 4.2")


def test_a_with_statement_holds_the_lock_and_releases_it(world: World, lock: Lock) -> None:
    with lock.acquire() as lease:
        (holder,) = record(world).holders
        lease.check()
        believed = lease.believes_held()

    assert believed
    assert (lease.name, lease.id, lease.token) == ("prod", holder.lease, holder.token)
    assert lease.waited == 0.0
    assert holder.owner.reason == "release 4.2"
    assert record(world).holders == ()
    assert past(world).loss is None


def test_a_lock_that_is_held_is_refused_and_names_the_holder(world: World, lock: Lock) -> None:
    world.client("alice", ttl=600).hold()

    with pytest.raises(NotAcquired, match=r'(?s)lock "prod" .* is not free .*alice'):
        lock.acquire(wait="0")

    assert world.tickets() == []


def test_a_run_that_is_outdated_is_refused(
    world: World, lock: Lock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "connect", lambda *_, **__: connection_of(world.client("b")))
    with Lock("prod", bucket="acme-locks", sequence=7).acquire():
        pass

    with pytest.raises(NotAcquired, match="outdated, sequence 7 was already granted"):
        Lock("prod", bucket="acme-locks", sequence=6).acquire()

    assert lock.acquire().token


@pytest.mark.parametrize(
    "wrong", [{"slots": 0}, {"ttl": "1s"}, {"queue": "lifo"}, {"priority": 10}]
)
def test_a_wrong_setting_is_refused_at_once(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Lock("prod", bucket="acme-locks", **wrong)


def test_a_wrong_wait_is_refused_before_any_request(world: World, lock: Lock) -> None:
    with pytest.raises(UsageError, match="wait"):
        lock.acquire(wait="soon")

    assert world.bucket.objects == {}


def test_a_block_whose_lease_was_lost_by_time_says_so(world: World) -> None:
    with pytest.raises(LeaseLost, match="could not be renewed"), lease_of(world.client("a")):
        world.clock.sleep(81.0)

    assert record(world).holders == ()
    assert past(world).outcome == "released"
    assert past(world).loss is LossReason.RENEWAL_OVERDUE


def test_a_block_that_took_longer_than_max_hold_says_so(world: World) -> None:
    with (
        pytest.raises(LeaseLost, match=r"max-hold \(10m00s\) is over"),
        lease_of(world.client("a")),
    ):
        world.clock.sleep(600.0)

    assert past(world).loss is LossReason.MAX_HOLD


def test_a_block_whose_lease_was_evicted_says_who_holds_the_lock_now(world: World) -> None:
    lease = lease_of(world.client("a"))

    def evict_it() -> None:
        evict(world.client("admin").lock, lease.id, note="stuck")
        world.client("b").hold(wait=10)

    with pytest.raises(LeaseLost, match=r"was evicted .* now held by b on"), lease:
        evict_it()


def test_an_error_of_the_block_takes_precedence_over_a_loss(world: World) -> None:
    with pytest.raises(ZeroDivisionError), lease_of(world.client("a")):
        fail_after(lambda: world.clock.sleep(81.0))

    assert record(world).holders == ()


@pytest.mark.fault
def test_an_error_of_the_block_takes_precedence_over_a_failed_release(world: World) -> None:
    outage = Outage()

    with pytest.raises(ZeroDivisionError), lease_of(world.client("a", fault=outage)):
        fail_after(lambda: setattr(outage, "down", True))


@pytest.mark.fault
def test_a_block_whose_lock_cannot_be_released_says_so(world: World) -> None:
    outage = Outage()

    with (
        pytest.raises(StorageUnreachable, match="connection refused"),
        lease_of(world.client("a", fault=outage)),
    ):
        outage.down = True


@pytest.mark.fault
def test_a_release_that_failed_may_be_called_again(world: World) -> None:
    outage = Outage()
    lease = lease_of(world.client("a", fault=outage))
    outage.down = True
    with pytest.raises(StorageUnreachable):
        lease.release()
    believed = lease.believes_held()
    outage.down = False

    lease.release()

    assert believed
    assert not lease.believes_held()
    assert past(world).loss is None


def test_a_second_release_does_nothing(world: World) -> None:
    client = world.client("a")
    lease = lease_of(client)
    lease.release()
    before = len(client.store.requests)

    lease.release()

    assert len(client.store.requests) == before


def test_a_loss_is_reported_by_one_release_alone(world: World) -> None:
    lease = lease_of(world.client("a"))
    world.clock.sleep(81.0)

    with pytest.raises(LeaseLost):
        lease.release()
    lease.release()

    assert not lease.believes_held()


def test_a_check_makes_no_request_and_tells_the_loss(world: World) -> None:
    client = world.client("a")
    keepalive = FakeKeepAlive()
    lease = Lease(held_by_client(client, keepalive))
    before = len(client.store.requests)

    lease.check()
    keepalive.loss = max_hold_over(600.0)

    assert not lease.believes_held()
    with pytest.raises(LeaseLost, match="max-hold"):
        lease.check()
    assert len(client.store.requests) == before


def test_a_lease_that_was_released_does_not_pass_a_check(world: World) -> None:
    lease = lease_of(world.client("a"))
    lease.release()

    with pytest.raises(LeaseLost, match=f"token {lease.token} was released"):
        lease.check()
