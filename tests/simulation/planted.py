"""Plants a wrong version of the code and tells what catches it: a rig that misses one is no rig.

A wrong version is a few words changed in a copy of the tree. It is caught by a property of the
simulation within `SEEDS` seeds, or by a directed trace: a test that random runs are too rarely
like.
"""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
SEEDS = 500


@dataclass(frozen=True)
class Change:
    """Words of one file, which stand there once, and the words instead."""

    path: str
    old: str
    new: str


@dataclass(frozen=True)
class Planted:
    """One wrong version.

    Attributes:
        name: what is wrong.
        caught_by: the property, or the test, that must catch it.
    """

    name: str
    caught_by: str
    changes: tuple[Change, ...]

    @property
    def by_trace(self) -> bool:
        return "::" in self.caught_by


def wrong(name: str, caught_by: str, *changes: tuple[str, str, str]) -> Planted:
    """Return a wrong version; a change is a file, the words there, and the words instead."""
    return Planted(
        name=name, caught_by=caught_by, changes=tuple(Change(*change) for change in changes)
    )


def copy_with(planted: Planted, folder: Path) -> None:
    """Write a copy of the tree in which the words are changed."""
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("gcs_ci_lock", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", folder)
    for change in planted.changes:
        file = folder / change.path
        text = file.read_text()
        assert text.count(change.old) == 1, f"{change.path}: expected {change.old!r} once"
        file.write_text(text.replace(change.old, change.new))


def is_caught(planted: Planted, folder: Path) -> bool:
    """Tell whether the property or test that is named sees the difference."""
    copy_with(planted, folder)
    if planted.by_trace:
        argv = ["pytest", "-q", "-x", "-p", "no:cacheprovider", planted.caught_by]
    else:
        argv = ["tests.simulation", "--seeds", str(SEEDS), "--processes", "1"]
        argv += ["--property", planted.caught_by]
    done = subprocess.run(
        [sys.executable, "-m", *argv],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    # An error is none: a wrong version that cannot be run shows nothing.
    sign = " failed" if planted.by_trace else f": {planted.caught_by}: "
    return done.returncode == 1 and sign in done.stdout
