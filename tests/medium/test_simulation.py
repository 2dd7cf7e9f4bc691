"""The shipped code in a simulated world; many more seeds by `make sim`."""

from pathlib import Path

import pytest

from tests.simulation.__main__ import broken_in
from tests.simulation.planted import PLANTED, Planted, catch
from tests.simulation.world import World

pytestmark = pytest.mark.simulation

BATCH = 40


@pytest.mark.parametrize("first", range(0, 200, BATCH))
def test_no_property_is_broken(first: int) -> None:
    assert broken_in(range(first, first + BATCH)) is None


def test_equal_seeds_have_equal_traces() -> None:
    traces = []
    for _ in range(2):
        world = World(7)
        world.run()
        traces.append(world.trace)

    assert traces[0] == traces[1]


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.name)
def test_a_wrong_version_is_caught_by_its_name(planted: Planted, tmp_path: Path) -> None:
    assert catch(planted, tmp_path / "copy") in planted.caught_by
