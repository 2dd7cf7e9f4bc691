"""The shipped code in a simulated world; many more seeds by `make sim`."""

import subprocess
import sys
from pathlib import Path

import pytest

from gcs_ci_lock.protocol.slots import UNLIMITED
from tests.simulation.__main__ import broken_in
from tests.simulation.cloud import Weather
from tests.simulation.plans import Plan
from tests.simulation.planted import ROOT, Planted, copy_with, is_caught
from tests.simulation.properties import Expected
from tests.simulation.world import World
from tests.simulation.wrong import PLANTED

pytestmark = pytest.mark.simulation

BATCH = 40


@pytest.mark.parametrize("first", range(0, 200, BATCH))
def test_no_property_is_broken(first: int) -> None:
    assert broken_in(range(first, first + BATCH)) is None


READERS_AND_WRITERS = Plan(
    kind="readers and writers",
    weather=Weather(),
    expected=Expected(calm=True, no_loss=True),
    slots=(1, UNLIMITED, UNLIMITED),
    clients=10,
    spread=40.0,
)


def test_no_writer_waits_for_a_reader_that_arrived_after_it_and_no_reader_for_a_writer() -> None:
    granted = 0
    for seed in range(200):
        world = World(seed, plan=READERS_AND_WRITERS)
        # Which property is looked at says the judge: queue order.
        world.run()
        granted += len(world.judge.granted)

    assert granted == 200 * 10


def test_equal_seeds_have_equal_traces_in_every_process() -> None:
    traces = [
        subprocess.run(
            [sys.executable, "-m", "tests.simulation", "--seed", "7"],
            cwd=ROOT,
            env={"PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    ]

    assert "is granted job" in traces[0]
    assert traces[0] == traces[1]


def test_a_broken_property_is_told_with_the_command_that_replays_it(tmp_path: Path) -> None:
    copy_with(PLANTED[0], tmp_path / "copy")
    simulate = [sys.executable, "-m", "tests.simulation"]

    found = subprocess.run(
        [*simulate, "--seeds", "100"],
        cwd=tmp_path / "copy",
        capture_output=True,
        text=True,
        check=False,
    )
    seed = found.stdout.partition(":")[0].removeprefix("seed ")
    again = subprocess.run(
        [*simulate, "--seed", seed],
        cwd=tmp_path / "copy",
        capture_output=True,
        text=True,
        check=False,
    )

    assert (found.returncode, again.returncode) == (1, 1)
    assert f"make sim SEED={seed}" in found.stdout
    broken = found.stdout.partition(": ")[2].splitlines()[0]
    assert again.stdout.endswith(f"BROKEN {broken}\n")


def test_no_wrong_version_is_planted_twice() -> None:
    assert len({planted.name for planted in PLANTED}) == len(PLANTED) >= 24


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.name)
def test_a_wrong_version_is_caught_by_what_is_named(planted: Planted, tmp_path: Path) -> None:
    assert is_caught(planted, tmp_path / "copy")
