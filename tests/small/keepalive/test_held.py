"""Locks that this process holds: one or several, all or none, released in reverse."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from gcs_ci_lock.errors import LeaseLost, LockError, NotAcquired, StorageUnreachable
from gcs_ci_lock.keepalive.held import HeldLock, HeldLocks, ReleaseResult, loss_on_release
from gcs_ci_lock.keepalive.sidecar.errors import SidecarUnavailable
from gcs_ci_lock.locking.admin import evict
from gcs_ci_lock.locking.lease import Lost, max_hold_over, renewal_overdue
from gcs_ci_lock.locking.outcome import Acquired, NotReleased, Released, Stopped, TimedOut
from gcs_ci_lock.locking.request import LockRequest
from gcs_ci_lock.locking.retry import RETRY_WITHIN
from gcs_ci_lock.ports import Stop
from gcs_ci_lock.protocol.names import LockPaths
from gcs_ci_lock.protocol.record import LossReason, PastLease
from gcs_ci_lock.protocol.record_json import decode_record
from gcs_ci_lock.protocol.server_time import Interval
from gcs_ci_lock.protocol.transitions import empty_record
from gcs_ci_lock.storage.memory import Moment, Request
from tests.support.fakes import EPOCH, PATHS, Client, World
from tests.support.faults import Outage, failing
from tests.support.keepalives import FakeKeepAlive, connection_of, held_by_client, request_of
from tests.support.samples import WAIT_STATUS

pytestmark = pytest.mark.example


def past(world: World) -> PastLease:
    """Return the last lease of the history."""
    record = decode_record(world.record_body(), uri=PATHS.record_uri, name=PATHS.name)
    return record.history[-1]


def holders(world: World) -> list[str]:
    record = decode_record(world.record_body(), uri=PATHS.record_uri, name=PATHS.name)
    return [holder.lease for holder in record.holders]


def overdue(world: World, client: Client, acquired: Acquired) -> Lost:
    world.clock.sleep(81.0)
    return renewal_overdue(acquired.lease, client.clock.boottime())


def test_a_lease_that_holds_is_released_and_the_history_notes_no_loss() -> None:
    world = World()
    held = held_by_client(world.client("a"), FakeKeepAlive())

    result = held.release()

    assert result == Released(ended=past(world))
    assert past(world).outcome == "released"
    assert past(world).loss is None
    assert holders(world) == []


def test_the_renewing_pauses_then_the_record_changes_then_the_keeper_stops() -> None:
    world, journal = World(), []

    def note(request: Request, when: Moment) -> None:
        if request.method == "write" and when == "after":
            journal.append("write")

    held = held_by_client(world.client("a", fault=note), FakeKeepAlive(journal))
    journal.clear()

    held.release()

    assert journal == ["pause", "write", "stop"]


def test_the_keep_alive_is_started_paused_and_asked() -> None:
    lost = max_hold_over(600.0)
    keepalive = FakeKeepAlive(loss=lost)
    held = held_by_client(World().client("a"), keepalive)

    held.start()
    held.pause()

    assert keepalive.journal == ["start", "pause"]
    assert held.lost() == lost
    assert held.name == "prod"


def test_a_lease_lost_by_time_is_lost_and_what_is_still_ours_is_released() -> None:
    world = World()
    client = world.client("a")
    acquired = client.hold()
    lost = overdue(world, client, acquired)
    held = held_by_client(client, FakeKeepAlive(loss=lost), acquired)

    result = held.release()

    assert result == lost
    assert holders(world) == []
    assert past(world).outcome == "released"
    assert past(world).loss is LossReason.RENEWAL_OVERDUE
    assert past(world).note == lost.message


def test_a_lease_whose_max_hold_is_over_is_released_as_such() -> None:
    world = World()
    lost = max_hold_over(600.0)
    held = held_by_client(world.client("a"), FakeKeepAlive(loss=lost))

    result = held.release()

    assert isinstance(result, Lost)
    assert result.max_hold_over
    assert holders(world) == []
    assert past(world).loss is LossReason.MAX_HOLD


@pytest.mark.parametrize("known", [True, False])
def test_an_evicted_lease_names_who_ended_it_and_who_holds_the_lock_now(*, known: bool) -> None:
    world = World()
    client, other = world.client("a"), world.client("b")
    acquired = client.hold()
    evict(other.lock, acquired.lease.id, note="run 8123 is over")
    other.hold(wait=10)
    loss = overdue(world, client, acquired) if known else None
    held = held_by_client(client, FakeKeepAlive(loss=loss), acquired)

    result = held.release()

    assert isinstance(result, Lost)
    assert result.reason is LossReason.EVICTED
    assert result.ended is not None
    assert result.ended.outcome == "evicted"
    assert "run 8123 is over" in result.message
    assert [holder.owner.actor for holder in result.holders] == ["b"]
    assert holders(world) == ["b-1"]


def test_a_lease_whose_record_was_deleted_is_lost() -> None:
    world = World()
    held = held_by_client(world.client("a"), FakeKeepAlive())
    world.bucket.objects.clear()
    # Somebody else's write: ours meets another generation, and reads again.
    world.client("b").hold(wait=10)

    result = held.release()

    assert isinstance(result, Lost)
    assert result.reason is LossReason.RECORD_REPLACED
    assert [holder.owner.actor for holder in result.holders] == ["b"]


def test_a_loss_that_was_known_counts_before_a_record_that_was_deleted() -> None:
    world = World()
    client = world.client("a")
    acquired = client.hold()
    lost = overdue(world, client, acquired)
    world.bucket.objects.clear()

    result = held_by_client(client, FakeKeepAlive(loss=lost), acquired).release()

    assert result == lost


@pytest.mark.fault
def test_a_server_that_is_down_leaves_the_lease_not_released() -> None:
    world, outage = World(), Outage()
    keepalive = FakeKeepAlive()
    held = held_by_client(world.client("a", fault=outage), keepalive)
    outage.down = True
    began = world.clock.now

    result = held.release()

    assert isinstance(result, NotReleased)
    assert isinstance(result.error, StorageUnreachable)
    assert "connection refused" in str(result.error)
    assert RETRY_WITHIN <= world.clock.now - began <= RETRY_WITHIN + 8.0
    assert keepalive.journal == ["pause", "stop"]


@pytest.mark.fault
def test_a_release_that_failed_can_be_repeated() -> None:
    world, outage = World(), Outage()
    held = held_by_client(world.client("a", fault=outage), FakeKeepAlive())
    outage.down = True
    held.release()
    outage.down = False

    assert isinstance(held.release(), Released)
    assert holders(world) == []


@pytest.mark.fault
def test_a_loss_is_reported_although_the_server_is_down() -> None:
    world, outage = World(), Outage()
    client = world.client("a", fault=outage)
    acquired = client.hold()
    lost = overdue(world, client, acquired)
    outage.down = True

    assert held_by_client(client, FakeKeepAlive(loss=lost), acquired).release() == lost


@pytest.mark.fault
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_release_outlasts_lost_answers(when: Moment) -> None:
    world = World()
    client = world.client("a")
    held = held_by_client(client, FakeKeepAlive())
    client.store._fault = failing("write", 2, when=when)  # noqa: SLF001 - from now on

    assert isinstance(held.release(), Released)
    assert holders(world) == []


@pytest.mark.fault
def test_no_second_write_is_sent_while_a_renewal_hangs() -> None:
    world = World()
    client = world.client("a")
    held = held_by_client(client, FakeKeepAlive(is_stuck=True))
    before = len(client.store.requests)

    result = held.release()

    assert isinstance(result, NotReleased)
    assert str(result.error) == "a renewal hangs"
    assert result.error.exit_code == 69
    assert len(client.store.requests) == before


@pytest.mark.fault
def test_a_hanging_renewal_of_a_lost_lease_is_a_loss() -> None:
    lost = max_hold_over(600.0)
    held = held_by_client(World().client("a"), FakeKeepAlive(loss=lost, is_stuck=True))

    assert held.release() == lost


@dataclass
class Locks:
    """Several locks of one client, and a note of what was acquired and released.

    Attributes:
        outcomes: instead of the lock of that name.
        during: called while the lock of that name is waited for.
    """

    world: World = field(default_factory=World)
    journal: list[str] = field(default_factory=list)
    keepalives: dict[str, FakeKeepAlive] = field(default_factory=dict)
    requests: list[LockRequest] = field(default_factory=list)
    stops: list[Stop] = field(default_factory=list)
    outcomes: dict[str, TimedOut | Stopped | LockError] = field(default_factory=dict)
    during: dict[str, Callable[[], object]] = field(default_factory=dict)

    def acquire(self, *names: str) -> HeldLocks | object:
        client = self.world.client("a")
        requests = [
            replace(request_of(client), paths=LockPaths(location=PATHS.location, name=name))
            for name in names
        ]
        return HeldLocks.acquire(requests, client.stop, self._one, on_release=self._released)

    def held(self, *names: str) -> HeldLocks:
        held = self.acquire(*names)
        assert isinstance(held, HeldLocks)
        return held

    def _one(self, request: LockRequest, stop: Stop) -> HeldLock | TimedOut | Stopped:
        self.requests.append(request)
        self.stops.append(stop)
        name = request.paths.name
        self.during.get(name, int)()
        outcome = self.outcomes.get(name)
        if isinstance(outcome, LockError):
            raise outcome
        if outcome is not None:
            return outcome
        self.journal.append(f"acquire {name}")
        client = self.world.client(name)
        client.lock = connection_of(client).lock(request.paths, request.timing)
        record = client.lock.read().record or empty_record(name, 0.0)
        claimant = replace(
            request.claimant(f"{name}-1"), asked=Interval(earliest=EPOCH, latest=EPOCH)
        )
        keepalive = self.keepalives.setdefault(name, FakeKeepAlive())
        lease = client.lock.claim(claimant)
        acquired = Acquired(lease=lease, waited=3.0, record=record)
        return HeldLock(client.lock, request, acquired, keepalive, random=client.random)

    def _released(self, held: HeldLock, result: ReleaseResult) -> None:
        self.journal.append(f"{type(result).__name__} {held.name}")


def test_all_locks_are_acquired_and_renewed_while_the_next_is_waited_for() -> None:
    locks = Locks()
    renewed: list[list[str]] = []
    locks.during["b"] = lambda: renewed.append(locks.keepalives["a"].journal[:])

    held = locks.held("a", "b")

    assert [one.name for one in held.locks] == ["a", "b"]
    assert renewed == [["start"]]
    # The caller decides what happens next; a process must not be forked beside a thread.
    assert locks.keepalives["a"].journal == ["start", "pause"]
    assert locks.keepalives["b"].journal == ["start", "pause"]


def test_they_are_released_in_reverse_and_each_is_reported() -> None:
    locks = Locks()
    held = locks.held("a", "b")

    results = held.release()

    assert [one.name for one, _ in results] == ["b", "a"]
    assert locks.journal == ["acquire a", "acquire b", "Released b", "Released a"]


def test_where_one_is_not_acquired_none_is_held() -> None:
    locks = Locks(outcomes={"c": TimedOut(status=WAIT_STATUS)})

    outcome = locks.acquire("a", "b", "c")

    assert outcome == TimedOut(status=WAIT_STATUS)
    assert locks.journal == ["acquire a", "acquire b", "Released b", "Released a"]


def test_an_error_releases_what_is_held_and_is_raised() -> None:
    locks = Locks(outcomes={"b": NotAcquired("no")})

    with pytest.raises(NotAcquired, match="no"):
        locks.acquire("a", "b")

    assert locks.journal == ["acquire a", "Released a"]


def test_a_keeper_that_cannot_start_releases_its_lock_too() -> None:
    locks = Locks(keepalives={"b": FakeKeepAlive(trouble=SidecarUnavailable("no engine"))})

    with pytest.raises(SidecarUnavailable, match="no engine"):
        locks.acquire("a", "b")

    assert locks.journal == ["acquire a", "acquire b", "Released b", "Released a"]


@pytest.mark.parametrize("outcome", [None, Stopped(waited=4.0)])
def test_a_loss_while_another_is_waited_for_is_raised(outcome: Stopped | None) -> None:
    locks = Locks(outcomes={"b": outcome} if outcome else {})

    def lose() -> None:
        locks.keepalives["a"].loss = max_hold_over(600.0)

    locks.during["b"] = lose

    with pytest.raises(LeaseLost, match='lease on lock "a" lost: max-hold'):
        locks.acquire("a", "b")

    assert "Lost a" in locks.journal
    assert ("Released b" in locks.journal) == (outcome is None)


def test_the_wait_for_the_next_lock_stops_when_one_is_lost() -> None:
    locks = Locks()
    locks.held("a", "b")
    first, second = locks.stops
    before = second.is_set()

    locks.keepalives["a"].loss = max_hold_over(600.0)

    assert not before
    assert second.is_set()
    assert second.wait(3.0)
    assert not first.is_set()


def test_later_locks_have_what_is_left_of_the_time_and_name_those_that_are_held() -> None:
    locks = Locks()
    locks.during["b"] = lambda: locks.world.clock.sleep(20.0)

    locks.held("a", "b", "c")

    assert [request.also_holding for request in locks.requests] == [(), ("a",), ("a", "b")]
    # 3 s until the first claim, and 20 s since.
    assert [request.spent for request in locks.requests] == [0.0, 3.0, 23.0]


def test_several_hold_until_the_first_loss() -> None:
    locks = Locks()
    held = locks.held("a", "b")
    before = held.first_loss()
    held.raise_if_lost()

    lost = max_hold_over(600.0)
    locks.keepalives["b"].loss = lost

    assert before is None
    assert held.first_loss() == lost
    with pytest.raises(LeaseLost, match='lock "b"'):
        held.raise_if_lost()


def test_a_wait_renews_until_the_stop() -> None:
    locks = Locks()
    held = locks.held("a")
    stop = locks.world.client("x").stop
    began = locks.world.clock.now
    locks.world.clock.after(60.0, stop.set)

    held.wait(stop)

    assert locks.world.clock.now == pytest.approx(began + 60.0, abs=0.51)
    assert locks.keepalives["a"].journal == ["start", "pause", "start", "pause"]


def test_a_wait_ends_with_the_first_loss() -> None:
    locks = Locks()
    held = locks.held("a", "b")
    stop = locks.world.client("x").stop
    began = locks.world.clock.now

    def lose() -> None:
        locks.keepalives["b"].loss = max_hold_over(600.0)

    locks.world.clock.after(10.0, lose)

    held.wait(stop)

    assert locks.world.clock.now == pytest.approx(began + 10.0, abs=0.51)


def test_work_is_renewed_to_its_end_even_if_it_fails() -> None:
    locks = Locks()
    held = locks.held("a")

    with pytest.raises(ZeroDivisionError):
        held.renewed_while(lambda: 1 // 0)

    assert held.renewed_while(lambda: 7) == 7
    assert locks.keepalives["a"].journal == ["start", "pause"] * 3


def test_the_last_loss_is_the_error_of_a_release() -> None:
    locks = Locks()
    held = locks.held("a", "b", "c")
    in_order = held.locks
    lost = max_hold_over(600.0)
    error = NotReleased(error=StorageUnreachable("down"))

    assert loss_on_release([]) is None
    assert loss_on_release([(in_order[0], error)]) is None
    one = loss_on_release([(in_order[1], lost), (in_order[0], error)])
    both = loss_on_release([(in_order[1], lost), (in_order[0], lost)])
    assert one is not None
    assert 'lock "b" lost: max-hold (10m00s) is over' in str(one)
    assert both is not None
    assert 'lock "a"' in str(both)
