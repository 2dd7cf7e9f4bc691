"""Lines and branches of the keeper that no other small test goes through."""

import pytest

from gcs_ci_lock.keepalive.keeper import Keeper, KeeperStopped
from gcs_ci_lock.locking.lease import Lost
from gcs_ci_lock.protocol.timing import Timing
from tests.support.fakes import World


@pytest.mark.example
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


@pytest.mark.example
def test_a_lease_without_beats_is_kept_without_a_request_until_max_hold() -> None:
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


@pytest.mark.example
def test_a_lease_without_beats_is_handed_back_where_somebody_says_stop() -> None:
    world = World()
    client = world.client("a")
    client.timing = client.lock.timing = Timing.without_renewal(600.0)
    lease = client.hold().lease
    keeper = Keeper(client.lock, lease, random=client.random, max_hold=300.0, began=lease.sent_at)
    client.stop.set()

    assert isinstance(keeper.run(client.stop), KeeperStopped)
