"""A keeper that works for days takes no more memory than at first."""

import gc
import tracemalloc

import pytest

from gcs_ci_lock.keepalive.keeper import Keeper, Kept
from tests.support.fakes import World

pytestmark = pytest.mark.simulation

BEATS = 10_000
SETTLED = 1_000
# Of 9,000 further beats; the record alone has hundreds of bytes, so that keeping each would show.
MOST_GROWTH = 64 * 1024


def test_ten_thousand_beats_leave_nothing_behind() -> None:
    world = World()
    client = world.client("a")
    tenure = client.hold().tenure
    sizes = {}

    def tried(keeper: Keeper) -> None:
        # The fake remembers what it was asked; a real store does not.
        client.store.requests.clear()
        if keeper.beats == SETTLED:
            gc.collect()
            tracemalloc.start()
            sizes[SETTLED], _ = tracemalloc.get_traced_memory()
        if keeper.beats == BEATS:
            gc.collect()
            sizes[BEATS], _ = tracemalloc.get_traced_memory()
            client.stop.set()

    keeper = Keeper(
        client.lock,
        tenure,
        chance=client.chance,
        max_hold=10 * 86_400.0,
        began=tenure.sent_at,
        tried=tried,
    )
    try:
        result = keeper.keep(client.stop)
    finally:
        tracemalloc.stop()

    assert isinstance(result, Kept)
    assert keeper.beats == BEATS
    assert sizes[BEATS] - sizes[SETTLED] < MOST_GROWTH
