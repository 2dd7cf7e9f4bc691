"""Who may enter: the decision on one look at the record and, where it matters, at the queue.

It says what a claimant is to do next; `protocol.grant` makes the record in which it has entered.

In model/lock.pml: judge, renounce, seen_outside.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from gcs_ci_lock.protocol.obsolete import Outdated, Superseded, overtaken
from gcs_ci_lock.protocol.queue import Claimant, Turn, living, turn_of
from gcs_ci_lock.protocol.record import Ended, Freeze, Holder, Record, Ticket

# After this long with room, a living waiter would have claimed: tickets die after 90 s, and the
# next in line moves up within seconds.
NOBODY_WAITS_AFTER = 150.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MayClaim:
    """The claimant may enter now: write what `grant` returns."""

    turn: Turn | None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueNeeded:
    """The decision depends on the tickets: list them and ask again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MustWait:
    """The claimant has to wait, for others or for an unfreeze."""

    turn: Turn
    frozen: Freeze | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlreadyIn:
    """An earlier attempt of this very claim has landed."""

    holder: Holder


@dataclass(frozen=True, slots=True, kw_only=True)
class AlreadyOver:
    """This very lease has been granted and has ended; its id must never be claimed again."""

    ended: Ended


Decision = AlreadyIn | AlreadyOver | Outdated | Superseded | MayClaim | QueueNeeded | MustWait


def consider(
    record: Record,
    claimant: Claimant,
    *,
    tickets: Sequence[Ticket] | None,
    earliest: float,
) -> Decision:
    """Decide whether a claimant may enter; `turn.patience` says how long it must first look on.

    Args:
        record: what `settled` returned.
        claimant: who asks.
        tickets: all tickets of the queue, or None if they have not been listed.
        earliest: the server time, at the earliest.
    """
    if (decided := _decided_already(record, claimant, tickets or ())) is not None:
        return decided
    nobody_waits = earliest - record.freed_at >= NOBODY_WAITS_AFTER
    if not record.holders and not record.frozen and nobody_waits:
        return MayClaim(turn=None)
    if tickets is None:
        return QueueNeeded()
    turn = turn_of(claimant, record.holders, living(tickets, record, earliest))
    if record.frozen or turn.patience == math.inf:
        return MustWait(turn=turn, frozen=record.frozen)
    return MayClaim(turn=turn)


def _decided_already(
    record: Record, claimant: Claimant, tickets: Sequence[Ticket]
) -> AlreadyIn | AlreadyOver | Outdated | Superseded | None:
    if (holder := record.holder(claimant.lease)) is not None:
        return AlreadyIn(holder=holder)
    if (ended := record.ended(claimant.lease)) is not None:
        return AlreadyOver(ended=ended)
    own = next((t for t in tickets if t.lease == claimant.lease), None)
    return overtaken(record, claimant, own)
