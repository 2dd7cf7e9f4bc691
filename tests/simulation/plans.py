"""What one seed brings: how many jobs, and what befalls them."""

import random
from dataclasses import dataclass

from gcs_ci_lock.protocol.names import Location, LockPaths
from gcs_ci_lock.protocol.slots import UNLIMITED, Slots
from tests.simulation.cloud import Weather
from tests.simulation.properties import Expected

PATHS = LockPaths(location=Location(bucket="acme-locks", prefix="locks"), name="prod")
TTL = 30.0
HORIZON = 2_400.0


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What one seed brings.

    Attributes:
        kind: the sort of run.
        clients: how many jobs come, restarted ones not counted.
        spread: seconds within which they come.
        rates: of the machines' clocks, from and to.
        offsets: of the machines' clocks, up to.
        pauses: how often a machine stands still, for `longest_pause` seconds at most.
        hold: seconds that a job works under the lock, from and to.
        lines: how many lines the jobs are of, 0: they say nothing of it.
        oracle: whether somebody can be asked which jobs are dead.
    """

    kind: str
    weather: Weather
    expected: Expected
    slots: tuple[Slots, ...]
    clients: int
    spread: float = 30.0
    rates: tuple[float, float] = (1.0, 1.0)
    offsets: float = 1e6
    pauses: int = 0
    longest_pause: float = 0.0
    kills: int = 0
    cancels: int = 0
    deletions: int = 0
    evictions: int = 0
    freezes: int = 0
    hold: tuple[float, float] = (0.5, 20.0)
    lines: int = 0
    oracle: bool = False


def plan_of(chance: random.Random) -> Plan:
    """Choose one of six kinds of run."""
    slots: tuple[Slots, ...] = chance.choice(
        [(1,), (1,), (2,), (3,), (1, UNLIMITED), (1, 2, 3, UNLIMITED)]
    )
    clients = chance.randint(2, 8)
    match chance.choice(["calm", "lossy", "crash", "storm", "storm", "person", "lines"]):
        case "calm":
            return Plan(
                kind="calm",
                weather=Weather(),
                expected=Expected(calm=True, no_loss=True),
                slots=slots,
                clients=clients,
                spread=20.0,
            )
        case "lossy":
            return _lossy(slots, clients)
        case "crash":
            return _crash(slots, clients, chance)
        case "lines":
            return _lines(slots, clients, chance)
        case "person":
            return _person(slots, clients, chance)
        case _:
            return _storm(slots, clients, chance)


def _lossy(slots: tuple[Slots, ...], clients: int) -> Plan:
    # Answers are lost, but never two in a row: nobody may lose a lease by that alone.
    # Several holders also take each other's writes, and the server's allowance.
    return Plan(
        kind="lossy",
        weather=Weather(faults=0.25, row=1),
        expected=Expected(calm=False, no_loss=slots == (1,)),
        slots=slots,
        clients=clients,
        spread=20.0,
        hold=(0.5, 60.0),
    )


def _crash(slots: tuple[Slots, ...], clients: int, chance: random.Random) -> Plan:
    return Plan(
        kind="crash",
        weather=Weather(),
        expected=Expected(calm=True, no_loss=False),
        slots=slots,
        clients=clients,
        kills=chance.randint(1, 3),
        hold=(0.5, 40.0),
    )


def _person(slots: tuple[Slots, ...], clients: int, chance: random.Random) -> Plan:
    """Let an operator intervene; where nothing else is amiss, order holds all the same."""
    deletions = chance.randint(0, 2)
    faults = chance.choice([0.0, 0.05])
    return Plan(
        kind="person",
        weather=Weather(faults=faults),
        expected=Expected(calm=not deletions and not faults, no_loss=False),
        slots=slots,
        clients=clients,
        deletions=deletions,
        evictions=chance.randint(0, 2),
        freezes=chance.randint(0, 2),
    )


def _lines(slots: tuple[Slots, ...], clients: int, chance: random.Random) -> Plan:
    """Let newer runs make older ones void, also while some sleep, and the dead be known."""
    return Plan(
        kind="lines",
        weather=Weather(faults=chance.choice([0.0, 0.1])),
        expected=Expected(calm=False, no_loss=False),
        slots=slots,
        clients=clients,
        spread=chance.choice([20.0, 120.0]),
        pauses=chance.randint(0, 3),
        longest_pause=chance.choice([60.0, 400.0]),
        kills=chance.randint(0, 2),
        cancels=chance.randint(0, 1),
        hold=(0.5, 40.0),
        lines=chance.choice([1, 1, 2]),
        oracle=chance.choice([True, False]),
    )


def _storm(slots: tuple[Slots, ...], clients: int, chance: random.Random) -> Plan:
    begins = chance.uniform(5.0, 60.0)
    return Plan(
        kind="storm",
        weather=Weather(
            faults=chance.choice([0.0, 0.1, 0.3]),
            stale=chance.choice([0.0, TTL / 6]),
            outage=(begins, begins + chance.choice([0.0, chance.uniform(5.0, 40.0)])),
        ),
        expected=Expected(calm=False, no_loss=False),
        slots=slots,
        clients=clients,
        rates=chance.choice([(0.8, 1.0), (0.9, 1.125), (1.0, 1.25), (1.0, 1.0)]),
        offsets=chance.choice([0.0, 1e6, 1e9]),
        pauses=chance.randint(0, 4),
        longest_pause=chance.choice([10.0, 60.0, 300.0]),
        kills=chance.randint(0, 2),
        cancels=chance.randint(0, 2),
        evictions=chance.choice([0, 0, 1]),
        freezes=chance.choice([0, 0, 1]),
        hold=(0.5, 60.0),
    )
