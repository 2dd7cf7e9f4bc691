"""Wrong versions of the code, each with what must catch it: a rig that misses one is not trusted.

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
SEEDS = 2_000

LOCK = "gcs_ci_lock/lock.py"
WAITING = "gcs_ci_lock/waiting.py"
PROTOCOL = "gcs_ci_lock/core/protocol.py"
QUEUE = "gcs_ci_lock/core/queue.py"
CLAIMING_TESTS = "tests/small/test_claiming.py"
THERE = """
    def _there(self) -> int:
        found = self.store.read(self.paths.record, known=None, limit=9**9, timeout=9)
        return found.generation if isinstance(found, Found) else 0

    def _next_beat"""


@dataclass(frozen=True)
class Planted:
    """One wrong version.

    Attributes:
        name: what is wrong.
        changes: file, the words there, and the words instead.
        caught_by: the names of the properties that may catch it, or one test that must.
    """

    name: str
    changes: tuple[tuple[str, str, str], ...]
    caught_by: tuple[str, ...]

    @property
    def by_trace(self) -> bool:
        return "::" in self.caught_by[0]


def _wrong(
    name: str, path: str, old: str, new: str, caught_by: str, *more: tuple[str, str, str]
) -> Planted:
    caught = tuple(caught_by.split(" | "))
    return Planted(name=name, changes=((path, old, new), *more), caught_by=caught)


PLANTED = (
    _wrong(
        "a claim without the generation",
        LOCK,
        "self._write(written.record, stored.generation)",
        "self._write(written.record, self._there())",
        "history complete | exclusion | tokens rise",
        (LOCK, "\n    def _next_beat", THERE),
    ),
    _wrong(
        "a beat without the generation",
        LOCK,
        "self._write(result.record, self._stored.generation)",
        "self._write(result.record, self._there())",
        "history complete | exclusion | no foreign release",
        (LOCK, "\n    def _next_beat", THERE),
    ),
    _wrong(
        "a release without the generation",
        LOCK,
        "self._write(result.record, stored.generation)\n            except Changed:\n"
        "                continue\n            return Released",
        "self._write(result.record, self._there())\n            except Changed:\n"
        "                continue\n            return Released",
        "history complete | no foreign release",
        (LOCK, "\n    def _next_beat", THERE),
    ),
    _wrong(
        "a clock that stops in suspension",
        "tests/simulation/world.py",
        "job.machine.frozen_until = self.scheduler.now + seconds",
        "job.machine.frozen_until = self.scheduler.now + seconds\n"
        "            job.machine.offset -= seconds * job.machine.rate",
        "exclusion | no renewal after give-up",
    ),
    _wrong(
        "a 412 is taken for a loss",
        LOCK,
        "            except Changed:\n                continue\n            return self._tenure",
        "            except Changed:\n                return Lost(reason='412')\n"
        "            return self._tenure",
        "no false loss",
    ),
    _wrong(
        "nobody lists the queue",
        "gcs_ci_lock/lock.py",
        "return tuple(ticket for ticket in found if ticket is not None)",
        "return tuple(ticket for ticket in found if ticket is None)",
        "queue order",
    ),
    _wrong(
        "a ticket arrives when it was last rewritten",
        "gcs_ci_lock/core/tickets.py",
        'arrival_text = metadata.get("arrival", created_text)',
        "arrival_text = created_text",
        "queue order",
    ),
    _wrong(
        "tickets die after 20 s",
        QUEUE,
        "TICKET_LIFE = 90.0",
        "TICKET_LIFE = 20.0",
        "queue order",
    ),
    _wrong(
        "patience is not asked for",
        QUEUE,
        "return HEAD_PATIENCE + PATIENCE_PER_PLACE * (passed_over - 1)",
        "return 0.0",
        "queue order",
    ),
    _wrong(
        "the fence of a new record begins at 0",
        PROTOCOL,
        "fence=math.floor(latest * FENCE_PER_SECOND)",
        "fence=math.floor(latest * 0)",
        "tokens rise",
    ),
    _wrong(
        "the fence is not raised",
        PROTOCOL,
        "fence = max(record.fence, fence_seen) + 1",
        "fence = max(record.fence, fence_seen)",
        "tokens rise",
    ),
    _wrong(
        "a claim is stamped with the earliest time",
        PROTOCOL,
        "        expires_at=now.latest + claimant.ttl,",
        "        expires_at=now.earliest + claimant.ttl,",
        "tests/small/test_protocol.py::test_a_grant_stamps_the_latest_time_and_the_next_token",
    ),
    _wrong(
        "holders are dropped before their time is over",
        PROTOCOL,
        "if earliest >= h.expires_at]",
        "if earliest >= h.expires_at - h.ttl / 2]",
        "exclusion | no foreign release",
    ),
    _wrong(
        "only the claimant's own slots count",
        QUEUE,
        "return len(everyone) <= min(one.slots for one in everyone) and",
        "return len(everyone) <= claimant.slots and",
        "exclusion | queue order",
    ),
    _wrong(
        "the same bytes again",
        LOCK,
        "return max([acknowledged, *self._sent]) + 1",
        "return acknowledged + 1",
        f"{CLAIMING_TESTS}::test_a_claim_that_never_arrived_is_made_again_with_a_new_number_and_stamp",
    ),
    _wrong(
        "no rewrite when a claim is given up",
        LOCK,
        "                self._write(unchanged, stored.generation)\n",
        "                unchanged = None\n",
        f"{CLAIMING_TESTS}::test_leaving_with_an_unknown_claim_blocks_the_stray_write",
    ),
    _wrong(
        "no look at the stop flag after a claim",
        WAITING,
        "        if self._stop.is_set():\n            # A claim",
        "        if self._began < 0:\n            # A claim",
        f"{CLAIMING_TESTS}::test_a_claim_that_nobody_wants_any_more_is_released_at_once",
    ),
    _wrong(
        "a claim that landed after its own give-up is believed",
        WAITING,
        "if tenure.believed(self._lock.clock.boot(), self._lock.now().latest):",
        "if tenure.lease:",
        f"{CLAIMING_TESTS}"
        "::test_a_claim_that_landed_after_its_own_give_up_is_given_back_and_waited_for_anew",
    ),
)


def copy_with(planted: Planted, folder: Path) -> None:
    """Write a copy of the tree in which the words are changed."""
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("gcs_ci_lock", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", folder)
    for path, old, new in planted.changes:
        file = folder / path
        text = file.read_text()
        assert text.count(old) == 1, f"{planted.name}: {path}: expected {old!r} once"
        file.write_text(text.replace(old, new))


def catch(planted: Planted, folder: Path) -> str:
    """Return what caught a wrong version: a property, a test, or "" for nothing."""
    copy_with(planted, folder)
    if planted.by_trace:
        (test,) = planted.caught_by
        argv = ["pytest", "-q", "-x", "-p", "no:cacheprovider", test]
    else:
        argv = ["tests.simulation", "--seeds", str(SEEDS), "--processes", "1"]
    done = subprocess.run(
        [sys.executable, "-m", *argv],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode != 1:
        return ""
    if planted.by_trace:
        return planted.caught_by[0] if " failed" in done.stdout else ""
    return done.stdout.partition(": ")[2].partition(":")[0]
