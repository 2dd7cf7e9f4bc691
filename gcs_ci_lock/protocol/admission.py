"""Who may enter: the decision on one look at the record and, where it matters, at the queue.

It says what a claimant is to do next; `transitions.grant` makes the record in which it has entered.

In model/lock.pml: judge, renounce, seen_outside.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from gcs_ci_lock.protocol.obsolete import Outdated, Superseded, why_obsolete
from gcs_ci_lock.protocol.queue import Claimant, QueuePosition, active, position_of
from gcs_ci_lock.protocol.record import Freeze, Holder, PastLease, Record, Ticket

# After this long with room, a living waiter would have claimed: tickets die after 90 s, and the
# next in line moves up within seconds.
NOBODY_WAITS_AFTER = 150.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MayClaim:
    """The claimant may enter now: write what `grant` returns."""

    position: QueuePosition | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NeedsQueue:
    """The decision depends on the tickets: list them and ask again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MustWait:
    """The claimant has to wait, for others or for an unfreeze."""

    position: QueuePosition
    frozen: Freeze | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlreadyHolding:
    """An earlier attempt of this very claim has landed."""

    holder: Holder


@dataclass(frozen=True, slots=True, kw_only=True)
class AlreadyEnded:
    """This very lease has been granted and has ended; its id must never be claimed again."""

    ended: PastLease


Decision = AlreadyHolding | AlreadyEnded | Outdated | Superseded | MayClaim | NeedsQueue | MustWait


def decide(
    record: Record,
    claimant: Claimant,
    *,
    tickets: Sequence[Ticket] | None,
    earliest: float,
) -> Decision:
    """Decide whether a claimant may enter; `turn.patience` says how long it must first look on.

    Args:
        record: what `drop_expired` returned.
        claimant: who asks.
        tickets: all tickets of the queue, or None if they have not been listed.
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
