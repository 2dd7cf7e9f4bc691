"""How a lock's process is started: as a person types it, but for its clocks and planted bugs.

Where libfaketime is installed, some of these processes live in another time. Of libfaketime 0.9.10
and Python 3.11 is known, by trying:

- It shifts every clock, the boot clock too: an offset moves the wall clock by an hour, and puts the
  boot and the monotonic clock where the shifted wall clock is, decades ahead; a rate is a rate of
  all of them.
- `time.sleep`, `select` and the time limits of sockets follow. `threading.Event.wait` does not: it
  waits by `sem_clockwait`, which libfaketime does not know, for a moment decades ahead. `_WAIT`
  replaces that one method by sleeping; nothing else of the program is touched.
- With FAKETIME_DONT_FAKE_MONOTONIC the boot clock is left alone, and `time.sleep` fails. It is
  not used: so the rates reach the boot clock, by which the lock counts.
- It leaves files in /dev/shm when it is killed; they are removed when the process is gone.
"""

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

from tests.chaos.figures import LOCKS

BUCKET: Final = "acme-locks"
LIBFAKETIME: Final = "libfaketime.so.1"
SHIFTS: Final = ("-1h", "+1h", "+0 x0.9", "+0 x1.1", "-1h x1.1", "+1h x0.9")
SHIFTED_SHARE: Final = 0.4
# Work that outlasts a lease which nobody renews: there a lock that does not notice is found out.
LONG_HOLD: Final = 35.0
LONGEST_HOLD: Final = 55.0

_WAIT: Final = """
import threading, time

def wait(self, timeout=None):
    until = None if timeout is None else time.monotonic() + timeout
    while not self.is_set():
        left = 0.05 if until is None else min(until - time.monotonic(), 0.05)
        if left <= 0:
            break
        time.sleep(left)
    return self.is_set()

threading.Event.wait = wait
"""
# Wrong versions, by which the storm shows that it would notice.
_PLANTED: Final = {
    "": "",
    "no exclusion": """
from gcs_ci_lock.protocol import queue

queue.fits = lambda *_: True
""",
    "token stands still": """
import dataclasses
from gcs_ci_lock.protocol import transitions

def grant(record, claimant, **rest):
    forgotten = dataclasses.replace(record, fence=0)
    return right(forgotten, claimant, **rest | {"fence_seen": 0})

right, transitions.grant = transitions.grant, grant
""",
}
_MAIN: Final = """
import runpy

runpy.run_module("gcs_ci_lock", run_name="__main__", alter_sys=True)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a run is to do.

    Attributes:
        hold: seconds of work under the lock.
        wait: seconds to wait for it.
        shift: another clock, as libfaketime has it, or "".
    """

    lock: str
    hold: float
    wait: int
    shift: str


def any_job(random: Random) -> Job:
    """Return what a worker may do next."""
    return Job(
        lock=random.choice(list(LOCKS)),
        hold=_any_hold(random),
        wait=random.choice((0, 5, 10, 20)),
        shift=random.choice(SHIFTS) if random.random() < SHIFTED_SHARE else "",
    )


def _any_hold(random: Random) -> float:
    """Return seconds of work: mostly little, sometimes more than a lease lasts unrenewed."""
    kind = random.random()
    if kind < 0.8:
        return round(random.uniform(0.05, 0.3), 2)
    if kind < 0.97:
        return round(random.uniform(0.5, 3), 2)
    return round(random.uniform(LONG_HOLD, LONGEST_HOLD), 2)


def command_line(job: Job, *, endpoint: str, notes: Path, planted: str) -> Sequence[str]:
    """Return what to start: the program around the resource, whose own clock is the true one.

    Args:
        job: what to do.
        endpoint: the storage server.
        notes: the file of the resource.
        planted: see `Plan`.
    """
    slots = LOCKS[job.lock]
    setpriv = shutil.which("setpriv")
    before = (_WAIT if shifting(job.shift) else "") + _PLANTED[planted]
    return [
        *([setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []),
        *(sys.executable, *(["-c", before + _MAIN] if before else ["-m", "gcs_ci_lock"])),
        *("run", job.lock, "--bucket", f"gs://{BUCKET}/storm", "--endpoint", endpoint),
        *("--ttl", "30s", "--wait", f"{job.wait}s", "--slots", str(slots), "--"),
        *("env", "-u", "LD_PRELOAD", sys.executable, "-m", "tests.chaos.resource"),
        *(str(notes), str(job.hold), *(["--unfenced"] if slots > 1 else [])),
    ]


def shifting(shift: str) -> dict[str, str]:
    """Return the variables by which libfaketime shifts a process's clocks."""
    library = libfaketime()
    if not shift or library is None:
        return {}
    # Files' times stay true: compiled bytecode is judged by them.
    return {"LD_PRELOAD": str(library), "FAKETIME": shift, "NO_FAKE_STAT": "1"}


def libfaketime() -> Path | None:
    """Return where Debian's package puts it, or None."""
    found = sorted(Path("/usr/lib").glob(f"*/faketime/{LIBFAKETIME}"))
    return found[0] if found else None
