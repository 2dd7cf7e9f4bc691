"""Keeping a lease alive, and losing it."""

import pytest

from gcs_ci_lock.errors import OutcomeUnknown
from gcs_ci_lock.locking.lease import LeaseState, Lost
from gcs_ci_lock.storage.memory import Moment, Request
from tests.support.fakes import World
from tests.support.faults import nth_write

pytestmark = pytest.mark.example


def test_others_that_write_meanwhile_cost_a_beat_one_read_and_one_write() -> None:
    world = World()
    client, other = world.client("a"), world.client("b")
    lease = client.hold(slots=2).lease
    other.hold(slots=2)
    before = len(client.store.requests)

    renewed = client.lock.renew(lease)

    assert not isinstance(renewed, Lost)
    assert [r.method for r in client.store.requests[before:]] == ["write", "read", "write"]
    record = client.lock.read().record
    assert record is not None
    assert len(record.holders) == 2


def test_a_beat_whose_answer_is_lost_counts_from_its_own_send() -> None:
    world = World()
    client = world.client("a", fault=nth_write(2, "after"))
    lease = client.hold().lease
    world.clock.sleep(20.0)
    sent = world.clock.now

    with pytest.raises(OutcomeUnknown):
        client.lock.renew(lease)
    world.clock.sleep(3.0)
    renewed = client.lock.renew(lease)

    assert not isinstance(renewed, Lost)
    assert renewed.sent_at == sent
    assert client.count("write") == 2


def test_a_lost_lease_is_never_renewed_though_the_record_still_names_it() -> None:
    world = World()
    client = world.client("a")
    acquired = client.hold()
    world.clock.sleep(acquired.lease.timing.give_up)
    before = client.count("write")

    result = client.lock.renew(acquired.lease)

    assert isinstance(result, Lost)
    assert client.count("write") == before
    record = client.lock.read().record
    assert record is not None
    assert record.holder(acquired.lease.id) is not None


def test_an_adopted_lease_is_believed_in_no_longer_than_the_first_owner_would() -> None:
    world = World()
    acquired = world.client("a").hold()
    world.clock.sleep(30.0)
    heir = world.client("heir")
    record = heir.lock.read().record
    assert record is not None
    holder = record.holder(acquired.lease.id)
    assert holder is not None

    lease = heir.lock.confirm(holder)

    assert lease.token == acquired.lease.token
    assert lease.deadline <= acquired.lease.deadline + 1.0


def test_deadlines_count_from_the_send_and_not_from_the_answer() -> None:
    world = World()

    def slow_answer(request: Request, when: Moment) -> None:
        if request.method == "write" and when == "after":
            world.clock.sleep(3.0)

    client = world.client("a", fault=slow_answer)
    began = world.clock.now

    claimed = client.hold().lease
    renewing = world.clock.now
    renewed = client.lock.renew(claimed)

    assert claimed.sent_at == began
    assert claimed.deadline == began + 80.0
    assert isinstance(renewed, LeaseState)
    assert renewed.sent_at == renewing


def test_the_deadline_is_that_of_the_attempt_in_the_record() -> None:
    world = World()
    # The first renewal lands, and its answer is lost.
    client = world.client("a", fault=nth_write(2, "after"))
    lease = client.hold().lease
    world.clock.sleep(20.0)
    first_sent = world.clock.now
    with pytest.raises(OutcomeUnknown):
        client.lock.renew(lease)
    world.clock.sleep(5.0)
    client.lock._sent[99] = world.clock.now  # noqa: SLF001 - an attempt that never arrived

    found = client.lock.renew(lease)

    assert isinstance(found, LeaseState)
    assert found.sent_at == first_sent
