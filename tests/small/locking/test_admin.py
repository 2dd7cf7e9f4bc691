"""What a person does to a lock from outside: evict, freeze, unfreeze."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gcs_ci_lock.errors import OutcomeUnknown
from gcs_ci_lock.locking.admin import evict, freeze, unfreeze
from gcs_ci_lock.locking.outcome import TimedOut
from gcs_ci_lock.locking.retry import retry
from gcs_ci_lock.protocol.record import Freeze, PastLease
from gcs_ci_lock.protocol.transitions import NotHeld
from gcs_ci_lock.storage.memory import Moment, Request
from tests.support.fakes import World
from tests.support.faults import nth_write
from tests.support.samples import FREEZE


@pytest.mark.example
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


@pytest.mark.example
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


@pytest.mark.example
def test_holders_go_on_while_the_lock_is_frozen() -> None:
    world = World()
    holder = world.client("holder")
    lease = holder.hold().lease
    freeze(world.client("p").lock, FREEZE)

    renewed = holder.lock.renew(lease)

    assert getattr(renewed, "revision", 0) > lease.revision


@pytest.mark.example
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


@pytest.mark.example
def test_a_second_freeze_replaces_the_first_and_tells_it() -> None:
    world = World()
    person = world.client("p")
    freeze(person.lock, FREEZE)

    assert freeze(person.lock, replace(FREEZE, reason="longer")) == FREEZE
    ended = unfreeze(person.lock)
    assert ended is not None
    assert ended.reason == "longer"
    assert unfreeze(person.lock) is None


@pytest.mark.fault
@pytest.mark.parametrize("moment", ["before", "after"])
def test_an_eviction_whose_answer_is_lost_is_known_at_the_second_call(moment: Moment) -> None:
    world = World()
    held = world.client("holder").hold().lease.id
    person = world.client("p", fault=nth_write(1, moment))
    with pytest.raises(OutcomeUnknown):
        evict(person.lock, held, note="stuck")

    ended = evict(person.lock, held, note="stuck")

    assert isinstance(ended, PastLease)
    assert (ended.lease, ended.outcome, ended.note) == (held, "evicted", "stuck")
    record = person.lock.read().record
    assert record is not None
    assert record.history == (ended,)
    assert record.holders == ()


@pytest.mark.example
def test_a_lease_that_does_not_hold_the_lock_is_not_evicted_and_nothing_is_written() -> None:
    world = World()
    holder, person = world.client("holder"), world.client("p")
    first = holder.hold().lease.id
    holder.lock.release(first)
    second = holder.hold(wait=9).lease.id

    gone, unknown = (evict(person.lock, lease, note="") for lease in (first, "another"))

    assert isinstance(gone, NotHeld)
    assert gone.ended is not None
    assert gone.ended.outcome == "released"
    assert isinstance(unknown, NotHeld)
    assert unknown.ended is None
    assert [h.lease for h in unknown.holders] == [second]
    assert person.count("write") == 0


@pytest.mark.fault
@pytest.mark.parametrize(("moment", "ended"), [("before", FREEZE), ("after", None)])
def test_an_unfreeze_whose_answer_is_lost_is_made_once(
    moment: Moment, ended: Freeze | None
) -> None:
    world = World()
    freeze(world.client("other").lock, FREEZE)
    person = world.client("p", fault=nth_write(1, moment))
    with pytest.raises(OutcomeUnknown):
        unfreeze(person.lock)

    assert unfreeze(person.lock) == ended

    record = person.lock.read().record
    assert record is not None
    assert record.frozen is None


@pytest.mark.example
def test_a_lock_that_nobody_has_held_can_be_frozen() -> None:
    world = World()

    assert freeze(world.client("p").lock, FREEZE) is None

    assert isinstance(world.client("a").acquire(wait=0), TimedOut)


class Unreliable:
    """Loses chosen writes, or the answers to them."""

    def __init__(self, losses: Mapping[int, Moment]) -> None:
        self._losses = losses
        self._writes = 0

    def __call__(self, request: Request, when: Moment) -> None:
        if request.method != "write":
            return
        self._writes += when == "before"
        if self._losses.get(self._writes) == when:
            message = "no answer"
            raise OutcomeUnknown(message)


@pytest.mark.property
@given(
    st.lists(st.sampled_from(["evict a", "evict b", "freeze", "unfreeze"]), max_size=6),
    st.dictionaries(st.integers(1, 12), st.sampled_from(["before", "after"])),
)
@settings(max_examples=50)
def test_whatever_answers_are_lost_each_order_is_carried_out_once(
    orders: list[str], losses: dict[int, Moment]
) -> None:
    world = World()
    leases = {name: world.client(name).hold(slots=2).lease.id for name in ("a", "b")}
    person = world.client("p", fault=Unreliable(losses))

    def carry_out(order: str) -> object:
        match order.split():
            case ["evict", name]:
                return evict(person.lock, leases[name], note=order)
            case ["freeze"]:
                return freeze(person.lock, FREEZE)
            case _:
                return unfreeze(person.lock)

    for order in orders:
        retry(person.lock, person.random, partial(carry_out, order), within=600.0)

    record = person.lock.read().record
    assert record is not None
    evicted = [name for name in ("a", "b") if f"evict {name}" in orders]
    assert sorted(end.lease for end in record.history) == [leases[name] for name in evicted]
    assert all(end.outcome == "evicted" for end in record.history)
    assert [h.lease for h in record.holders] == [leases[n] for n in "ab" if n not in evicted]
    freezes = [order for order in orders if "freeze" in order]
    assert record.frozen == (FREEZE if freezes[-1:] == ["freeze"] else None)
