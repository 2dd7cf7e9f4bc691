"""The transitions of a lock record: pure, and idempotent by lease id.

Each takes the stored record and the server time and returns the record to be written, or why
nothing is to be written. Only a claim drops expired holders.

In model/lock.pml: EXPIRED, ENDED, stamp, take_out.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from gcs_ci_lock.protocol.obsolete import with_sequences
from gcs_ci_lock.protocol.queue import Claimant
from gcs_ci_lock.protocol.record import (
    HISTORY_LENGTH,
    Freeze,
    Holder,
    LossReason,
    Outcome,
    PastLease,
    Record,
)
from gcs_ci_lock.protocol.server_time import Interval

FENCE_PER_SECOND = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamped:
    """The record to be written, and the lease's holder in it."""

    record: Record
    holder: Holder


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """The record to be written, without the lease's holder, and the lease's end."""

    record: Record
    ended: PastLease


@dataclass(frozen=True, slots=True, kw_only=True)
class NotHeld:
    """The lease is not among the holders.

    Attributes:
        ended: how it ended, if the history still knows it.
        holders: who holds the lock instead.
    """

    ended: PastLease | None
    holders: tuple[Holder, ...]


def empty_record(name: str, latest: float) -> Record:
    """Return the record of a lock that nobody has held.

    Its fence starts at the server time: a lock whose record somebody deleted does not hand out
    an old token again.
    """
    return Record(name=name, fence=math.floor(latest * FENCE_PER_SECOND))


def drop_expired(record: Record, earliest: float) -> Record:
    """Return the record without the holders and the freeze whose time is over."""
    over = [h for h in record.holders if earliest >= h.expires_at]
    if over:
        # Room appeared when a lease ended, not when somebody noticed.
        ends = [_end_of(h, "expired", h.expires_at, "") for h in over]
        record = _without(record, ends)
    frozen = record.frozen
    if frozen is not None and frozen.until is not None and earliest >= frozen.until:
        freed_at = max(record.freed_at, frozen.until)
        record = replace(record, frozen=None, freed_at=freed_at)
    return record


def grant(
    record: Record, claimant: Claimant, *, now: Interval, beat: int, fence_seen: int
) -> Stamped:
    """Add the claimant to the holders, with the next token.

    Args:
        record: what `drop_expired` returned, and `decide` decided on.
        claimant: who enters.
        now: one reading of the clock, which also serves the deadline.
        beat: number of this attempt.
        fence_seen: the highest token this process knows of this lock; never granted again.
    """
    if (mine := record.holder(claimant.lease)) is not None:
        return Stamped(record=record, holder=mine)
    fence = max(record.fence, fence_seen) + 1
    holder = Holder(
        lease=claimant.lease,
        owner=claimant.owner,
        slots=claimant.slots,
        token=fence,
        asked_at=claimant.asked.earliest,
        granted_at=now.earliest,
        # `latest`, not `earliest`: under one stale Date the latter let two in.
        expires_at=now.latest + claimant.ttl,
        ttl=claimant.ttl,
        revision=beat,
    )
    return Stamped(
        record=replace(
            record,
            fence=fence,
            holders=(*record.holders, holder),
            sequences=with_sequences(record, claimant),
        ),
        holder=holder,
    )


def renew(record: Record, lease: str, *, now: Interval, beat: int) -> Stamped | NotHeld:
    """Stamp a lease anew; somebody else's claim or end is left alone."""
    mine = record.holder(lease)
    if mine is None:
        return _not_held(record, lease)
    renewed = replace(mine, expires_at=now.latest + mine.ttl, revision=beat)
    holders = tuple(renewed if h.lease == lease else h for h in record.holders)
    return Stamped(record=replace(record, holders=holders), holder=renewed)


def release(
    record: Record,
    lease: str,
    *,
    earliest: float,
    note: str = "",
    loss: LossReason | None = None,
) -> Removed | NotHeld:
    """End a lease, and no other (step E1).

    Args:
        record: what is stored.
        lease: the lease id.
        earliest: the server time, at the earliest.
        note: why, for people.
        loss: why the job lost it before this release, or None.
    """
    return _removed(record, lease, "released", earliest, note, loss)


def evict(record: Record, lease: str, *, earliest: float, note: str) -> Removed | NotHeld:
    """End another's lease; whoever gives the proof, or the order, answers for it.

    Args:
        record: what is stored.
        lease: the lease id.
        earliest: the server time, at the earliest.
        note: the proof that its job is over, or who has ordered it and why.
    """
    return _removed(record, lease, "evicted", earliest, note)


def freeze(record: Record, frozen: Freeze) -> Record:
    """Let nobody new enter; an earlier freeze is replaced, holders go on."""
    return replace(record, frozen=frozen)


def unfreeze(record: Record, *, earliest: float) -> Record:
    """Let waiters enter again; room appears now."""
    if record.frozen is None:
        return record
    return replace(record, frozen=None, freed_at=max(record.freed_at, earliest))


def _removed(
    record: Record,
    lease: str,
    outcome: Outcome,
    earliest: float,
    note: str,
    loss: LossReason | None = None,
) -> Removed | NotHeld:
    holder = record.holder(lease)
    if holder is None:
        return _not_held(record, lease)
    ended = replace(_end_of(holder, outcome, earliest, note), loss=loss)
    return Removed(record=_without(record, [ended]), ended=ended)


def _not_held(record: Record, lease: str) -> NotHeld:
    return NotHeld(ended=record.past(lease), holders=record.holders)


def _end_of(holder: Holder, outcome: Outcome, ended_at: float, note: str) -> PastLease:
    return PastLease(
        lease=holder.lease,
        owner=holder.owner,
        token=holder.token,
        asked_at=holder.asked_at,
        granted_at=holder.granted_at,
        ended_at=ended_at,
        outcome=outcome,
        note=note,
    )


def _without(record: Record, ends: Sequence[PastLease]) -> Record:
    gone = {ended.lease for ended in ends}
    return replace(
        record,
        holders=tuple(h for h in record.holders if h.lease not in gone),
        freed_at=max([record.freed_at, *(ended.ended_at for ended in ends)]),
        history=(*record.history, *ends)[-HISTORY_LENGTH:],
    )
