"""Admission: decide from one read of the record, and from the queue if it matters, what comes next.

`transitions.grant` returns the record in which the claimant holds the lock.

In model/lock.pml: judge, renounce, seen_outside.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from gcs_ci_lock.protocol.obsolete import Outdated, Superseded, why_obsolete
from gcs_ci_lock.protocol.queue import Claimant, QueuePosition, active, position_of
from gcs_ci_lock.protocol.record import Freeze, Holder, PastLease, Record, Ticket

# A living waiter would have claimed a free slot within this time: tickets expire after 90 s, and
# the next in the queue moves up within seconds.
NOBODY_WAITS_AFTER = 150.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MayClaim:
    """The claimant may claim now: write what `grant` returns."""

    position: QueuePosition | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NeedsQueue:
    """The decision depends on the tickets: list them and ask again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MustWait:
    """The claimant must wait, for others or for an unfreeze."""

    position: QueuePosition
    frozen: Freeze | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlreadyHolding:
    """An earlier attempt of this claim has landed."""

    holder: Holder


@dataclass(frozen=True, slots=True, kw_only=True)
class AlreadyEnded:
    """This lease was granted and has ended; its id must never be claimed again."""

    ended: PastLease


Decision = AlreadyHolding | AlreadyEnded | Outdated | Superseded | MayClaim | NeedsQueue | MustWait


def decide(
    record: Record,
    claimant: Claimant,
    *,
    tickets: Sequence[Ticket] | None,
    earliest: float,
) -> Decision:
    """Decide whether a claimant may claim, after `position.settle_time` (steps C2 to C6).

    Args:
        record: as returned by `drop_expired`.
        claimant: the claimant.
        tickets: all tickets of the queue, or None if they were not listed.
        earliest: the server time, at the earliest.
    """
    if (decided := _decided_already(record, claimant, tickets or ())) is not None:
        return decided
    nobody_waits = earliest - record.freed_at >= NOBODY_WAITS_AFTER
    if not record.holders and not record.frozen and nobody_waits:
        return MayClaim(position=None)
    if tickets is None:
        return NeedsQueue()
    position = position_of(claimant, record.holders, active(tickets, record, earliest))
    if record.frozen or position.settle_time == math.inf:
        return MustWait(position=position, frozen=record.frozen)
    return MayClaim(position=position)


def _decided_already(
    record: Record, claimant: Claimant, tickets: Sequence[Ticket]
) -> AlreadyHolding | AlreadyEnded | Outdated | Superseded | None:
    if (holder := record.holder(claimant.lease)) is not None:
        return AlreadyHolding(holder=holder)
    if (ended := record.past(claimant.lease)) is not None:
        return AlreadyEnded(ended=ended)
    own = next((t for t in tickets if t.lease == claimant.lease), None)
    return why_obsolete(record, claimant, own)
