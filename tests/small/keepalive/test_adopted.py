"""A lease of another process of the job: adopted, checked, renewed, ended."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from gcs_ci_lock.errors import StorageUnreachable
from gcs_ci_lock.keepalive.adopted import adopt, check_lease, end_lease, keep_adopted, overdue
from gcs_ci_lock.keepalive.keeper import Keeper
from gcs_ci_lock.keepalive.lease_ref import LeaseRef
from gcs_ci_lock.locking.admin import evict
from gcs_ci_lock.locking.lease import LeaseState, Lost
from gcs_ci_lock.locking.outcome import Released
from gcs_ci_lock.protocol.record import LossReason
from gcs_ci_lock.protocol.transitions import NotHeld
from gcs_ci_lock.storage.memory import Moment
from tests.support.fakes import EPOCH, Client, World
from tests.support.faults import Outage, failing
from tests.support.samples import LEASE_REF

pytestmark = pytest.mark.fault


def ref_of(lease: str, token: int) -> LeaseRef:
    return replace(LEASE_REF, lease=lease, token=token)


def test_a_lease_is_adopted_by_reading_the_record() -> None:
    world = World()
    lease = world.client("a").hold().lease

    adopted = adopt(world.client("b").lock, ref_of(lease.id, lease.token))

    assert isinstance(adopted, LeaseState)
    assert (adopted.id, adopted.token) == (lease.id, lease.token)


@pytest.mark.parametrize("gone", ["deleted", "released"])
def test_a_lease_that_is_gone_is_not_adopted(gone: str) -> None:
    world = World()
    client = world.client("a")
    lease = client.hold().lease
    if gone == "deleted":
        world.bucket.objects.clear()
    else:
        client.lock.release(lease.id)

    adopted = adopt(world.client("b").lock, ref_of(lease.id, lease.token))

    assert isinstance(adopted, Lost)
    assert str(lease.token) in adopted.message


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_release_by_another_process_outlasts_lost_answers(when: Moment) -> None:
    world = World()
    lease = world.client("a").hold().lease
    post = world.client("post", fault=failing("write", 2, when=when))

    result = end_lease(post.lock, ref_of(lease.id, lease.token), random=post.random)

    assert isinstance(result, Released)
    assert b'"outcome": "released"' in world.record_body()


def test_what_a_killed_main_step_left_in_the_queue_is_taken_away() -> None:
    world = World()
    world.client("holder", ttl=600).hold()
    main = world.client("a")
    waiter = main.waiter()
    waiter._withdraw = lambda: None  # type: ignore[method-assign]  # noqa: SLF001 - it is killed
    world.clock.after(3.0, main.stop.set)
    waiter.run()
    post = world.client("post")

    result = end_lease(post.lock, ref_of(main.diary.leases[-1], 0), random=post.random)

    assert isinstance(result, NotHeld)
    assert world.tickets() == []
    # Written once, unchanged: a claim of main that is still in flight would be refused.
    assert post.count("write") == 1


def test_a_claim_of_a_killed_main_step_that_landed_is_released() -> None:
    world = World()
    lease = world.client("a").hold().lease.id
    post = world.client("post")

    result = end_lease(post.lock, ref_of(lease, 0), random=post.random)

    assert isinstance(result, Released)
    assert world.client("b").hold(wait=5).waited < 1


def test_nobody_elses_lease_is_ended() -> None:
    world = World()
    lease = world.client("a").hold().lease
    post = world.client("post")

    for token in (0, lease.token):
        result = end_lease(post.lock, ref_of("another-lease", token), random=post.random)
        assert isinstance(result, NotHeld)

    assert isinstance(adopt(post.lock, ref_of(lease.id, lease.token)), LeaseState)


def adopted_of(client: Client) -> LeaseRef:
    """Let a client hold the lock, and return what it leaves to another process."""
    lease = client.hold().lease
    return replace(ref_of(lease.id, lease.token), granted_at=EPOCH)


def not_stopped() -> None:
    """Say that the job itself asked for the release."""


def test_a_lease_that_is_renewed_passes_a_check() -> None:
    world = World()
    lease_ref = adopted_of(world.client("a"))
    step = world.client("step")

    assert check_lease(step.lock, lease_ref, random=step.random) is None
    assert overdue(step.lock, lease_ref, random=step.random) is None
    assert step.count("write") == 0


def test_a_lease_that_nothing_renewed_in_time_is_lost_though_the_record_names_it() -> None:
    world = World()
    lease_ref = adopted_of(world.client("a"))
    world.clock.sleep(101.0)
    step = world.client("step")

    lost = check_lease(step.lock, lease_ref, random=step.random)

    assert lost is not None
    assert lost.reason is LossReason.RENEWAL_OVERDUE
    assert "was not renewed in time" in lost.message
    assert overdue(step.lock, lease_ref, random=step.random) == lost


def test_only_the_record_knows_of_a_lease_that_others_ended() -> None:
    world = World()
    lease_ref = adopted_of(world.client("a"))
    evict(world.client("admin").lock, lease_ref.lease, note="stuck")
    step = world.client("step")

    lost = check_lease(step.lock, lease_ref, random=step.random)

    assert lost is not None
    assert lost.reason is LossReason.EVICTED
    assert overdue(step.lock, lease_ref, random=step.random) is None


@pytest.mark.parametrize("look", [check_lease, overdue])
def test_a_check_that_nobody_answers_says_so(look: Callable[..., object]) -> None:
    world, outage = World(), Outage()
    lease_ref = adopted_of(world.client("a"))
    step = world.client("step", fault=outage)
    outage.down = True

    with pytest.raises(StorageUnreachable):
        look(step.lock, lease_ref, random=step.random)


def test_a_lease_that_is_gone_is_not_kept() -> None:
    world = World()
    keeper = world.client("keeper")

    lost = keep_adopted(
        keeper.lock,
        ref_of("a-1", 1),
        keeper.stop,
        random=keeper.random,
        why_stopped=not_stopped,
    )

    assert isinstance(lost, Lost)
    assert lost.reason is LossReason.RECORD_REPLACED
    assert keeper.count("write") == 0


def test_a_keeper_that_is_stopped_releases_and_the_job_asked_for_it() -> None:
    world = World()
    lease_ref = adopted_of(world.client("a"))
    keeper = world.client("keeper")
    started: list[Keeper] = []
    world.clock.after(10.0, keeper.stop.set)

    released = keep_adopted(
        keeper.lock,
        lease_ref,
        keeper.stop,
        random=keeper.random,
        why_stopped=not_stopped,
        on_start=started.append,
    )

    assert isinstance(released, Released)
    assert released.ended.loss is None
    assert [one.lease.id for one in started] == [lease_ref.lease]


def test_a_keeper_whose_job_is_over_notes_the_loss() -> None:
    world = World()
    lease_ref = adopted_of(world.client("a"))
    keeper = world.client("keeper")
    over = Lost(reason=LossReason.JOB_OVER, message="token 1: the job is over")
    keeper.stop.set()

    released = keep_adopted(
        keeper.lock, lease_ref, keeper.stop, random=keeper.random, why_stopped=lambda: over
    )

    assert isinstance(released, Released)
    assert released.ended.loss is LossReason.JOB_OVER
    assert released.ended.note == over.message


def test_a_lease_whose_max_hold_is_over_is_released_and_lost_to_the_job() -> None:
    world = World()
    lease_ref = replace(adopted_of(world.client("a")), max_hold_s=30.0)
    keeper = world.client("keeper")

    lost = keep_adopted(
        keeper.lock, lease_ref, keeper.stop, random=keeper.random, why_stopped=not_stopped
    )

    assert isinstance(lost, Lost)
    assert lost.max_hold_over
    assert world.client("b").hold(wait=5).previous is not None


def test_a_lease_that_could_not_be_renewed_is_not_released() -> None:
    world, outage = World(), Outage()
    lease_ref = adopted_of(world.client("a"))
    keeper = world.client("keeper", fault=outage)
    world.clock.after(1.0, lambda: setattr(outage, "down", True))
    before = world.record_body()

    lost = keep_adopted(
        keeper.lock, lease_ref, keeper.stop, random=keeper.random, why_stopped=not_stopped
    )

    assert isinstance(lost, Lost)
    assert lost.reason is LossReason.RENEWAL_OVERDUE
    assert world.record_body() == before


def test_a_release_at_the_stop_that_nobody_answers_says_so() -> None:
    world, outage = World(), Outage()
    lease_ref = adopted_of(world.client("a"))
    keeper = world.client("keeper", fault=outage)

    def stop() -> None:
        outage.down = True
        keeper.stop.set()

    world.clock.after(5.0, stop)

    with pytest.raises(StorageUnreachable):
        keep_adopted(
            keeper.lock, lease_ref, keeper.stop, random=keeper.random, why_stopped=not_stopped
        )


def test_a_lease_that_others_end_before_the_release_is_lost() -> None:
    world = World()
    lease_ref = adopted_of(world.client("a"))
    keeper, admin = world.client("keeper"), world.client("admin")

    def evict_and_stop() -> None:
        evict(admin.lock, lease_ref.lease, note="stuck")
        keeper.stop.set()

    world.clock.after(5.0, evict_and_stop)

    lost = keep_adopted(
        keeper.lock, lease_ref, keeper.stop, random=keeper.random, why_stopped=not_stopped
    )

    assert isinstance(lost, Lost)
    assert lost.reason is LossReason.EVICTED
