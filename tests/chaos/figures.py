"""What a storm is to do, and what it did."""

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Final, Literal

# Name -> slots. A lock is shut for as long as a lease lasts whenever its holder is killed, frozen
# or cut off: with fewer locks most workers stand before a shut one, and hardly anybody enters.
LOCKS: Final = {
    **dict.fromkeys(
        ("api", "web", "db", "docs", "jobs", "mail", "maps", "auth", "cron", "logs"), 1
    ),
    "pool": 2,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How long, and with what.

    Attributes:
        grants: the storm ends after so many.
        seconds: or after this long.
        seed: of every choice; what comes of them depends on the machine too.
        workers: locks' processes at work at a time; frozen and cut off ones come on top.
        planted: a wrong version, see `PLANTED`, or "": what is shipped.
    """

    grants: float = math.inf
    seconds: float = math.inf
    seed: int = 1
    workers: int = 8
    planted: Literal["", "no exclusion", "token stands still"] = ""


@dataclass(slots=True, kw_only=True)
class Figures:
    """What happened.

    Attributes:
        most: for each lock, the most that were inside at the same time.
        kills: of a lock's process alone or with its command.
        stops: freezings.
        cuts: connections cut by the disturber; `faults` are the proxy's own.
        partings: times that a worker was cut off for seconds.
        losses: runs that ended with exit code 76.
        shifted: runs under another clock.
        left_over: processes that outlived their lock, or the storm.
        surprises: runs that ended as none may.
    """

    seed: int
    seconds: float = 0.0
    runs: int = 0
    grants: int = 0
    overlaps: int = 0
    falling: int = 0
    refused: int = 0
    most: dict[str, int] = field(default_factory=dict)
    kills: int = 0
    stops: int = 0
    cuts: int = 0
    partings: int = 0
    restarts: int = 0
    losses: int = 0
    timeouts: int = 0
    unreachable: int = 0
    shifted: int = 0
    left_over: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    surprises: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Tell whether the locks kept their promise, and nothing was left behind."""
        return not (self.overlaps or self.falling or self.left_over or self.surprises)


def people(figures: Figures) -> str:
    """Return the figures as a person reads them."""
    most = ", ".join(f"{name} {number} of {LOCKS[name]}" for name, number in figures.most.items())
    faults = Counter(figures.faults)
    lines = [f"surprise: {one}\n" for one in figures.surprises]
    lines += (
        f"{figures.grants} grants in {figures.runs} runs, {figures.seconds:g} s, ",
        f"seed {figures.seed}; {figures.shifted} runs under another clock\n",
        f"disturbed by {figures.kills} kills, {figures.stops} stops, {figures.cuts} cuts, ",
        f"{figures.partings} partings, {figures.restarts} restarts, ",
        f"{faults.total()} faults of the proxy\n",
        f"{figures.losses} losses, {figures.timeouts} timeouts, ",
        f"{figures.unreachable} unreachable, {figures.refused} accesses refused by the fence\n",
        f"most inside: {most}\n",
        f"overlaps {figures.overlaps}, falling tokens {figures.falling}, ",
        f"processes left over {figures.left_over}: {'good' if figures.good else 'BROKEN'}\n",
    )
    return "".join(lines)
