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
# Within this a living waiter has polled, and claimed: the slowest poll takes 4.8 s. It is counted
# once per waiter passed over, because the next one starts to count only when it polls.
SETTLE_TIME_PER_PLACE = 6.0
# All holders renew one object, and the server accepts one write per second to it.
WRITES_PER_SECOND_USED = 0.6

DEFAULT_PRIORITY = 5
# Before the lock was read for the first time.
NOT_ASKED: Final = Interval(earliest=math.nan, latest=math.inf)


class Occupant(Protocol):
    """What occupies a slot, or would: a holder, a ticket, or a claimant."""

    @property
    def slots(self) -> Slots:
        """How many jobs may hold the lock together, as it allows."""
        ...

    @property
    def ttl(self) -> float:
        """Seconds that its lease lasts without renewal."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimant:
    """One acquisition, as the record and the queue see it.

    Attributes:
        lease: the lease id.
        owner: the job that waits.
        slots: how many jobs may hold the lock together, as this one allows.
        ttl: seconds that its lease would last.
        asked: server time of the first read of the lock.
        arrival: server time that decides its position; infinite before it has a ticket.
        created: server time of its ticket's first version; infinite before it has a ticket. The
            arrival, unless it superseded an older waiter and got its position.
        priority: 0 to 9, higher first.
        newest: whether it supersedes older waiters of its job.
        sequence: its sequence number, or None.
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
    """The position of a claimant in the queue.

    Attributes:
        ahead: the active tickets before it, first in the queue first.
        settle_time: seconds that this queue and these holders must have been seen unchanged, on the
            claimant's own boot clock, before it may claim; 0: now; infinite: it must wait.
        fits_holders: whether it would fit if no ticket were ahead.
    """

    ahead: tuple[Ticket, ...]
    settle_time: float
    fits_holders: bool

    @property
    def rank(self) -> int:
        """Return 1 for the head of the queue."""
        return len(self.ahead) + 1


def fits(present: Iterable[Occupant], claimant: Occupant) -> bool:
    """Return whether a claimant fits next to those present: the smallest `slots` of all decides.

    This one rule gives mutex, semaphore and read-write lock. The queue does not matter here.
    """
    everyone = [*present, claimant]
    tolerated = min(one.slots for one in everyone)
    return len(everyone) <= min(tolerated, max_renewable(min(one.ttl for one in everyone)))


def max_renewable(ttl: float) -> int:
    """Return how many leases one object can renew, all as often as the shortest.

    Args:
        ttl: seconds that the shortest of them lasts.
    """
    # One holder alone never writes too often.
    return max(math.floor(WRITES_PER_SECOND_USED * renew_interval(ttl)), 1)


def active(tickets: Iterable[Ticket], record: Record, earliest: float) -> list[Ticket]:
    """Return the tickets that count, first in the queue first (step C5).

    They were refreshed lately, are not superseded, and have not been granted the lock yet.
    """
    served = {h.lease for h in record.holders} | {e.lease for e in record.history}
    counted = (
        t
        for t in tickets
        if not is_abandoned(t, earliest) and not t.superseded_by and t.lease not in served
    )
    return sorted(counted, key=_rank)


def is_abandoned(ticket: Ticket, earliest: float) -> bool:
    """Return whether the ticket was not refreshed for so long that its waiter must be gone."""
    return earliest - ticket.refreshed_at >= TICKET_LIFE


def position_of(
    claimant: Claimant, holders: Sequence[Holder], counted: Iterable[Ticket]
) -> QueuePosition:
    """Return the claimant's position among the tickets that count.

    Args:
        claimant: the claimant.
        holders: those that have not expired.
        counted: as returned by `active`; the claimant's own ticket may be among them.
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
    # Step C6. Later readers do not pass a writer that waits for readers to release.
    if any(not fits(holders, ticket) for ticket in ahead):
        return math.inf
    # Fewer others never fit worse, so that a binary search finds the first: a queue may be long.
    passed_over = bisect_left(
        range(len(ahead) + 1),
        x=True,
        key=lambda first: fits([*holders, *ahead[first:]], claimant),
    )
    if passed_over > len(ahead):
        return math.inf
    return SETTLE_TIME_PER_PLACE * passed_over
