"""A fenced resource: `python -m tests.chaos.resource FILE SECONDS [--unfenced]`, under the lock.

It writes down when it was inside, every 50 ms, into one file that all who use the resource share,
and refuses a token lower than the highest that it has seen. It does not look at that refusal
itself: like most work it goes on until it is done or told to stop, so that the file shows also
what would have happened without the fence. The file is locked for each access only, never in
between. SECONDS counts work, not time: a frozen process has not worked.

`judge` reads the notes afterwards. A process is inside from its first note to its last, but while
it is silent for longer than `PAUSE` it was frozen or dead, and is not inside; and who comes back
from such a pause has `REACTION` for its lock to find out that the lease is over and to end it.
Whoever is still at work after that, beside another, overlaps.
"""

import fcntl
import json
import math
import os
import signal
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from gcs_ci_lock.system.clock import SystemClock

HEARTBEAT: Final = 0.05
# Silent for longer: not running. A busy machine delays a heartbeat by less.
PAUSE: Final = 1.0
# The lock looks at its lease every 0.2 s; the rest is for a busy machine.
REACTION: Final = 3.0
# By this variable the storm knows again who wrote a note.
RUN: Final = "CHAOS_RUN"
ACCESSES: Final = ("enter", "beat", "leave")

_HEADER: Final = "highest {:020d}"
_HEADER_LENGTH: Final = len(_HEADER.format(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """One line of the file.

    Attributes:
        run: who; one attempt to get the lock and to use the resource.
        event: "start" before it asked for the lock; "enter", "beat" or "leave"; "stop" and
            "continue" when it was frozen and woken as a whole.
        at: boot clock.
        token: its fencing token, for the accesses.
        refused: the resource has seen a higher token.
    """

    run: str
    event: str
    at: float
    token: int = 0
    refused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the notes show.

    Attributes:
        grants: runs that entered.
        overlaps: times that one was inside with more than the slots allow.
        falling: tokens that are not above every token seen before their run was started, or that
            two runs had.
        refused: accesses with a token lower than the highest.
        most: the most that were inside at the same time.
    """

    grants: int
    overlaps: int
    falling: int
    refused: int
    most: int


def judge(notes: Sequence[Note], *, slots: int) -> Verdict:
    """Judge the notes of one resource, given in the order of the file."""
    spans = [span for run in _by_run(notes).values() for span in _inside(run)]
    beside = [
        1 + sum(other[0] <= span[0] < other[1] for other in spans if other is not span)
        for span in spans
    ]
    return Verdict(
        grants=len({note.run for note in notes if note.event == "enter"}),
        overlaps=sum(number > slots for number in beside),
        falling=_falling(notes),
        refused=sum(note.refused for note in notes),
        most=max(beside, default=0),
    )


def _by_run(notes: Iterable[Note]) -> dict[str, list[Note]]:
    runs = defaultdict[str, list[Note]](list)
    for note in notes:
        runs[note.run].append(note)
    return runs


def _inside(run: Sequence[Note]) -> list[tuple[float, float]]:
    """Return from when to when one run was inside, its pauses left out."""
    accesses = [note.at for note in run if note.event in ACCESSES]
    back = [later for earlier, later in pairwise(accesses) if later - earlier > PAUSE]
    frozen_at = math.inf
    for note in run:
        if note.event == "stop":
            frozen_at = note.at
        elif note.event == "continue" and note.at - frozen_at > PAUSE:
            back.append(note.at)
    # A frozen one that is woken may write before it is ended: its lock is woken with it.
    counted = [at for at in accesses if not any(0 <= at - woken < REACTION for woken in back)]
    spans: list[tuple[float, float]] = []
    for at in counted:
        if spans and at - spans[-1][1] <= PAUSE:
            spans[-1] = (spans[-1][0], at)
        else:
            spans.append((at, at))
    return spans


def _falling(notes: Iterable[Note]) -> int:
    highest = falling = 0
    above: dict[str, int] = {}
    owners: dict[int, str] = {}
    for note in notes:
        if note.event == "start":
            # What was granted before it even asked; those that ask together may enter in any order.
            above[note.run] = highest
        elif note.event == "enter":
            falling += note.token <= above.get(note.run, 0) or note.token in owners
            owners[note.token] = note.run
            highest = max(highest, note.token)
    return falling


class Ledger:
    """The resource's file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._clock = SystemClock()

    def access(self, run: str, event: str, token: int, *, fenced: bool) -> None:
        """Use the resource, or be refused; either is noted."""
        with self._held() as file:
            highest = int(os.pread(file, _HEADER_LENGTH, 0).split()[1] or 0)
            if token > highest:
                os.pwrite(file, _HEADER.format(token).encode(), 0)
            self._append(file, run, event, token=token, refused=fenced and token < highest)

    def note(self, run: str, event: str) -> None:
        """Write down what happened to a run."""
        with self._held() as file:
            self._append(file, run, event)

    def is_free(self) -> bool:
        """Tell whether nobody is in the middle of an access."""
        try:
            with self._held(fcntl.LOCK_EX | fcntl.LOCK_NB):
                return True
        except BlockingIOError:
            return False

    def entered(self) -> int:
        """Count the entries; quickly, and without a look at the rest."""
        return self.path.read_bytes().count(b'"enter"') if self.path.exists() else 0

    def notes(self) -> list[Note]:
        """Return all notes, but for those that a kill has torn."""
        lines = self.path.read_text().splitlines()[1:] if self.path.exists() else []
        return [note for line in lines if (note := _parsed(line)) is not None]

    @contextmanager
    def _held(self, how: int = fcntl.LOCK_EX) -> Iterator[int]:
        file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(file, how)
            if os.fstat(file).st_size == 0:
                os.pwrite(file, _HEADER.format(0).encode(), 0)
            yield file
        finally:
            os.close(file)

    def _append(
        self, file: int, run: str, event: str, *, token: int = 0, refused: bool = False
    ) -> None:
        note = {"run": run, "event": event, "at": self._clock.boottime()}
        note |= {"token": token, "refused": refused} if event in ACCESSES else {}
        # A line of its own also where a killed process has left half a line.
        os.pwrite(file, f"\n{json.dumps(note)}".encode(), os.fstat(file).st_size)


def _parsed(line: str) -> Note | None:
    try:
        return Note(**json.loads(line))
    except (ValueError, TypeError):
        return None


class _Told:
    """Whether SIGTERM has come: then the work is left at once, and in order."""

    def __init__(self) -> None:
        self.to_stop = False
        signal.signal(signal.SIGTERM, self._stop)

    def _stop(self, *_: object) -> None:
        self.to_stop = True


def main(arguments: Sequence[str]) -> int:
    """Work inside for a while; return 0, or 143 if told to stop."""
    path, seconds, *rest = arguments
    fenced = "--unfenced" not in rest
    told = _Told()
    environ = os.environ
    run, token = environ.get(RUN, str(os.getpid())), int(environ["GCS_CI_LOCK_TOKEN"])
    ledger, clock = Ledger(Path(path)), SystemClock()
    ledger.access(run, "enter", token, fenced=fenced)
    for _ in range(math.ceil(float(seconds) / HEARTBEAT)):
        if told.to_stop:
            break
        clock.sleep(HEARTBEAT)
        ledger.access(run, "beat", token, fenced=fenced)
    ledger.access(run, "leave", token, fenced=fenced)
    return 128 + signal.SIGTERM if told.to_stop else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
