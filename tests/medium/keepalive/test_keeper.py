"""A keeper that works for days takes no more memory than at first."""

import gc
import tracemalloc

import pytest

from gcs_ci_lock.keepalive.keeper import Keeper, KeeperStopped
from tests.support.fakes import World

pytestmark = pytest.mark.simulation

BEATS = 10_000
SETTLED = 1_000
# Of 9,000 further beats; the record alone has hundreds of bytes, so that keeping each would show.
MOST_GROWTH = 64 * 1024


def test_ten_thousand_beats_leave_nothing_behind() -> None:
    world = World()
    client = world.client("a")
    lease = client.hold().lease
    sizes = {}

    def tried(keeper: Keeper) -> None:
        # The fake remembers what it was asked; a real store does not.
        client.store.requests.clear()
        if keeper.renewals == SETTLED:
            gc.collect()
            tracemalloc.start()
            sizes[SETTLED], _ = tracemalloc.get_traced_memory()
        if keeper.renewals == BEATS:
            gc.collect()
            sizes[BEATS], _ = tracemalloc.get_traced_memory()
            client.stop.set()

    keeper = Keeper(
        client.lock,
        lease,
        random=client.random,
        max_hold=10 * 86_400.0,
        began=lease.sent_at,
        on_attempt=tried,
    )
    try:
        result = keeper.run(client.stop)
    finally:
        tracemalloc.stop()

    assert isinstance(result, KeeperStopped)
    assert keeper.renewals == BEATS
    assert sizes[BEATS] - sizes[SETTLED] < MOST_GROWTH
