"""A queue that a stranger has filled with 10,000 tickets costs a waiter little, and no more.

Measured in a process of its own. These are the budgets of a waiter, not of speed: what is counted
is memory and processor time, which a busy machine does not change.
"""

import json
import resource
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from gcs_ci_lock.locking.outcome import TimedOut
from gcs_ci_lock.protocol.record import Owner, Record, Ticket
from gcs_ci_lock.protocol.record_json import encode_record
from gcs_ci_lock.protocol.ticket_metadata import encode_ticket
from gcs_ci_lock.protocol.wait_status import WaitStatus
from tests.support.fakes import EPOCH, PATHS, Diary, World

pytestmark = pytest.mark.fault

FORGED = 10_000
MEMORY = 64 * 1024 * 1024
SECONDS_A_POLL = 2.0
KINDS = ("fresh", "old", "mixed", "tolerant", "hurried")


class Forgetful(Diary):
    """An observer that keeps nothing, as the shipped one: what it keeps would count."""

    def on_wait(self, _situation: WaitStatus) -> None:
        return


def ticket(number: int, kind: str) -> Ticket:
    """Return a forged ticket: all of them stand before whoever comes now."""
    return Ticket(
        lease=f"forged-{number:05}",
        owner=Owner(platform="github", repository="acme/api", actor="mallory", reason="x" * 150),
        slots=999_999_999 if kind == "tolerant" else 1 + number % 3,
        ttl=1e-9 if kind == "hurried" else 120.0,
        arrival=0.0,
        arrival_text=f"2020-11-23T14:02:{number % 60:02}.{number:06}+00:00",
        refreshed_at=0.0,
        generation=0,
        priority=9,
    )


def forged_world(kind: str) -> World:
    """Return a lock that was freed just now, and its queue."""
    world = World()
    store = world.client("mallory").store
    record = Record(name="prod", fence=41, freed_at=EPOCH + world.clock.now)
    store.write(PATHS.record, encode_record(record), generation=0, timeout=1)
    for number in range(FORGED):
        metadata = encode_ticket(ticket(number, kind))
        path = PATHS.ticket(f"forged-{number:05}")
        store.write(path, b"", generation=0, metadata=metadata, timeout=1)
        if kind == "old" or (kind == "mixed" and number % 2):
            there = world.bucket.objects[path]
            entry = replace(there.entry, updated_text="2020-11-23T14:02:11+00:00")
            world.bucket.objects[path] = replace(there, entry=entry)
    return world


def measure(kind: str) -> dict[str, object]:
    """Return what a waiter costs beside such a queue."""
    world = forged_world(kind)
    client = world.client("a")
    client.diary = Forgetful()
    memory, spent = _memory(), time.process_time()
    outcome = client.acquire(wait=20.0)
    return {
        "timed_out": isinstance(outcome, TimedOut),
        "polls": client.count("read"),
        "listings": client.count("list"),
        "seconds": time.process_time() - spent,
        "memory": _memory() - memory,
    }


def _memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def cost_beside(kind: str) -> dict[str, Any]:
    """Return what `measure` finds in a fresh process."""
    ran = subprocess.run(
        [sys.executable, "-m", "tests.medium.test_forged_queue", kind],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    return cast("dict[str, Any]", json.loads(ran.stdout))


@pytest.mark.parametrize("kind", KINDS)
def test_a_queue_of_ten_thousand_forged_tickets_stays_within_the_budget(kind: str) -> None:
    cost = cost_beside(kind)

    # Tickets of the dead keep nobody waiting; those that seem to live do, while they seem so.
    assert cost["timed_out"] == (kind != "old")
    assert cost["listings"] >= 1
    assert cost["seconds"] / cost["polls"] < SECONDS_A_POLL
    assert cost["memory"] < MEMORY


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure(sys.argv[1])))
