"""What a person does to a lock from outside: evict, freeze, unfreeze."""

from dataclasses import replace

import pytest

from gcs_ci_lock.errors import OutcomeUnknown
from gcs_ci_lock.locking.admin import evict, freeze, unfreeze
from gcs_ci_lock.storage.memory import Moment
from tests.support.fakes import World
from tests.support.faults import nth_write
from tests.support.samples import FREEZE

pytestmark = pytest.mark.example


def test_the_evicted_holder_learns_it_at_its_next_renewal_and_releases_nobody() -> None:
    world = World()
    holder = world.client("holder")
    acquired = holder.hold()
    other = world.client("other")
    evict(other.lock, acquired.lease.id, note="stuck deploy")
    new = other.hold(wait=60)

    lost = holder.lock.renew(acquired.lease)
    released = holder.lock.release(acquired.lease.id)

    assert "evicted" in str(lost)
    assert "stuck deploy" in str(lost)
    assert getattr(released, "holders", ()) != ()
    record = other.lock.read().record
    assert record is not None
    assert [h.lease for h in record.holders] == [new.lease.id]


def until(world: World, seconds: float) -> float:
    return world.bucket.server_time() + seconds


@pytest.mark.parametrize("ends_by_itself", [True, False])
def test_a_freeze_keeps_waiters_out_until_it_ends(*, ends_by_itself: bool) -> None:
    world = World()
    person = world.client("person")
    end = until(world, 20.0) if ends_by_itself else None
    assert freeze(person.lock, replace(FREEZE, until=end)) is None
    if not ends_by_itself:
        world.clock.after(20.0, lambda: unfreeze(person.lock))

    acquired = world.client("a").hold(wait=60)

    # Known to end: looked at just then. Else at the next poll.
    assert 20.0 <= acquired.waited <= 21.5


def test_holders_go_on_while_the_lock_is_frozen() -> None:
    world = World()
    holder = world.client("holder")
    lease = holder.hold().lease
    freeze(world.client("p").lock, FREEZE)

    renewed = holder.lock.renew(lease)

    assert getattr(renewed, "revision", 0) > lease.revision


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_freeze_whose_answer_is_lost_is_the_same_at_the_second_call(moment: Moment) -> None:
    world = World()
    person = world.client("p", fault=nth_write(1, moment))
    with pytest.raises(OutcomeUnknown):
        freeze(person.lock, FREEZE)

    replaced = freeze(person.lock, FREEZE)

    assert replaced is None
    record = person.lock.read().record
    assert record is not None
    assert record.frozen == FREEZE


def test_a_second_freeze_replaces_the_first_and_tells_it() -> None:
    world = World()
    person = world.client("p")
    freeze(person.lock, FREEZE)

    assert freeze(person.lock, replace(FREEZE, reason="longer")) == FREEZE
    ended = unfreeze(person.lock)
    assert ended is not None
    assert ended.reason == "longer"
    assert unfreeze(person.lock) is None
