"""A lease of another process of the job: adopted, checked, renewed, ended."""

from dataclasses import replace

import pytest

from gcs_ci_lock.keepalive.adopted import adopt, end_lease
from gcs_ci_lock.keepalive.lease_ref import LeaseRef
from gcs_ci_lock.locking.lease import LeaseState, Lost
from gcs_ci_lock.locking.outcome import Released
from gcs_ci_lock.protocol.transitions import NotHeld
from gcs_ci_lock.storage.memory import Moment
from tests.support.fakes import World
from tests.support.faults import failing
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
