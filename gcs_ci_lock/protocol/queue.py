"""The queue: which tickets count, in which order, and who may claim when.

The tickets give fairness only. A wrong or stale queue can cost time, never exclusion.
"""

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from gcs_ci_lock.protocol.record import Holder, Owner, Record, Ticket
from gcs_ci_lock.protocol.server_time import Interval
from gcs_ci_lock.protocol.slots import Slots
from gcs_ci_lock.protocol.timing import renew_interval

TICKET_LIFE = 90.0
REFRESH_EVERY = 30.0
# A waiter that is alive has looked, and claimed, within this: the slowest poll is 4.8 s. So much
# for each that is passed over: the next in line begins to count only when it looks.
SETTLE_TIME_PER_PLACE = 6.0
# Every holder beats on one object that takes one write a second.
WRITES_PER_SECOND_USED = 0.6

DEFAULT_PRIORITY = 5
# As long as the lock has not been read.
NOT_ASKED: Final = Interval(earliest=math.nan, latest=math.inf)


class Occupant(Protocol):
    """What takes a place in a lock: a holder, a ticket, or a claimant."""

    @property
    def slots(self) -> Slots:
        """Holders in total that it tolerates."""
        ...

    @property
    def ttl(self) -> float:
        """Seconds that its lease lasts; a sixth of it is its beat."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimant:
    """One who wants to enter.

    Attributes:
        asked: server time of the first read of the lock.
        arrival: server time by which its place counts; infinite before it has one.
        born: server time of its ticket's first version; infinite before there is a ticket. The same
            as `arrival` unless it has taken over an older waiter's place.
        newest: whether it makes older waiters of its line void.
        sequence: its number in its line, or None.
    """

    lease: str
    owner: Owner
    slots: Slots
    ttl: float
    asked: Interval = NOT_ASKED
    arrival: float = math.inf
    created: float = math.inf
    priority: int = DEFAULT_PRIORITY
    newest: bool = False
    sequence: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePosition:
    """Where a claimant stands.

    Attributes:
        ahead: the living tickets before it, first in line first.
        patience: seconds that this queue and these holders must have been seen unchanged, on the
            claimant's own boot clock, before it may claim; 0: at once; infinite: it must wait.
        beside_holders: whether it would fit if nobody stood ahead.
    """

    ahead: tuple[Ticket, ...]
    settle_time: float
    fits_holders: bool

    @property
    def rank(self) -> int:
        """Return 1 for the head of the queue."""
        return len(self.ahead) + 1


def fits(present: Iterable[Occupant], claimant: Occupant) -> bool:
    """Tell whether a claimant fits beside those present, by the rule of the smallest slots.

    One rule gives mutex, semaphore and read-write lock. Says nothing about the queue.
    """
    everyone = [*present, claimant]
    tolerated = min(one.slots for one in everyone)
    return len(everyone) <= min(tolerated, max_renewable(min(one.ttl for one in everyone)))


def max_renewable(ttl: float) -> int:
    """Return how many leases may be renewed on one object, all as often as the shortest.

    Args:
        ttl: seconds that the shortest of them lasts.
    """
    # Alone one writes less than the object takes.
    return max(math.floor(WRITES_PER_SECOND_USED * renew_interval(ttl)), 1)


def active(tickets: Iterable[Ticket], record: Record, earliest: float) -> list[Ticket]:
    """Return the tickets that count, first in line first.

    They were refreshed lately, are not superseded, and were not served already.
    """
    served = {h.lease for h in record.holders} | {e.lease for e in record.history}
    counted = (
        t
        for t in tickets
        if not is_abandoned(t, earliest) and not t.superseded_by and t.lease not in served
    )
    return sorted(counted, key=_rank)


def is_abandoned(ticket: Ticket, earliest: float) -> bool:
    """Tell whether the waiter has not refreshed its ticket for so long that it must be gone."""
    return earliest - ticket.refreshed_at >= TICKET_LIFE


def position_of(
    claimant: Claimant, holders: Sequence[Holder], counted: Iterable[Ticket]
) -> QueuePosition:
    """Return where the claimant stands among the tickets that count.

    Args:
        claimant: who asks.
        holders: those not yet expired.
        counted: what `active` returned; the claimant's own ticket may be among them.
    """
    mine = _rank(claimant)
    others = (t for t in counted if t.lease != claimant.lease and _rank(t) < mine)
    ahead = tuple(sorted(others, key=_rank))
    return QueuePosition(
        ahead=ahead,
        settle_time=_settle_time(claimant, holders, ahead),
        fits_holders=fits(holders, claimant),
    )


def _rank(waiter: Ticket | Claimant) -> tuple[int, float, str]:
    return (-waiter.priority, waiter.arrival, waiter.lease)


def _settle_time(claimant: Claimant, holders: Sequence[Holder], ahead: Sequence[Ticket]) -> float:
    # A writer that waits for readers to leave is not overtaken by later readers.
    if any(not fits(holders, ticket) for ticket in ahead):
        return math.inf
    # Beside fewer one always fits better, so that halving finds the first: a queue may be long.
    passed_over = bisect_left(
        range(len(ahead) + 1),
        x=True,
        key=lambda first: fits([*holders, *ahead[first:]], claimant),
    )
    if passed_over > len(ahead):
        return math.inf
    return SETTLE_TIME_PER_PLACE * passed_over
