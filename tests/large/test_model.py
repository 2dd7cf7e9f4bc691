"""The model of the lock with three clients, and with two whose clocks may each be wrong or right.

Large only because each search takes about a minute.
"""

import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.property

ROOT = Path(__file__).parents[2]


def search(*arguments: str) -> tuple[int, str]:
    ended = subprocess.run(
        ["scripts/model", *arguments], cwd=ROOT, check=False, capture_output=True, text=True
    )
    if ended.returncode == 3:
        pytest.skip(ended.stdout.splitlines()[-1])
    return ended.returncode, ended.stdout + ended.stderr


@pytest.mark.parametrize("arguments", [["3"], ["2", "ANY_CLOCKS"]], ids=" ".join)
def test_no_state_that_is_found_breaks_a_property(arguments: list[str]) -> None:
    exit_code, said = search(*arguments)

    assert exit_code == 0, said
    assert ", 0 errors, 0 steps never taken, " in said


def test_the_search_in_part_finds_a_planted_bug() -> None:
    exit_code, said = search("3", "BUG_STAMP_FROM_EARLIEST", "EXCLUSION_ALONE")

    assert exit_code == 1, said
    assert " 1 error: exclusion, " in said
