"""A storm over real processes; large only because a lease lasts half a minute at least."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Literal

import pytest

from tests.chaos.figures import Plan
from tests.chaos.processes import state, with_variables
from tests.chaos.program import LIBFAKETIME, libfaketime
from tests.chaos.storm import storm
from tests.chaos.workers import ROOT
from tests.support.shell import until

pytestmark = pytest.mark.chaos

SEED = 4


def test_in_a_storm_nobody_overlaps_and_no_token_falls() -> None:
    figures = storm(Plan(grants=60, seconds=85, seed=SEED))

    assert figures.good, figures
    # As many as a machine gets to that does much else; 60 on one that does not.
    assert figures.grants >= 30, figures
    assert min(figures.stops, figures.partings) > 0, figures
    # Each of these is left to chance; that none of them comes is not.
    assert figures.kills + figures.cuts + figures.restarts > 0, figures
    if libfaketime() is None:
        pytest.skip(f"the storm was good, but no clock was shifted: {LIBFAKETIME} is not installed")
    assert figures.shifted > 0, figures


@pytest.mark.parametrize(
    ("planted", "counted"), [("no exclusion", "overlaps"), ("token stands still", "falling")]
)
def test_the_storm_finds_a_lock_that_does_not_hold(
    planted: Literal["no exclusion", "token stands still"], counted: str
) -> None:
    figures = storm(Plan(grants=30, seconds=60, seed=SEED, planted=planted))

    assert not figures.good
    assert getattr(figures, counted) > 0, figures


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_storm_that_is_interrupted_leaves_no_process(
    number: signal.Signals, tmp_path: Path
) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.chaos.storm", "--seed", str(SEED)],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path)},
        stdin=subprocess.DEVNULL,
    ) as process:
        until(lambda: len(living(tmp_path)) > 5, within=30)
        seen = living(tmp_path)

        process.send_signal(number)

        assert process.wait(timeout=30) == 130
    assert [pid for pid in seen if state(pid) != "Z"] == []
    assert list(tmp_path.iterdir()) == []


def living(folder: Path) -> list[int]:
    """Return all that a storm has started so far."""
    homes = [str(home) for home in folder.iterdir()]
    return [number for home in homes for number in with_variables(HOME=home)]
