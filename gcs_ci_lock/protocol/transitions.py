"""The transitions of a lock record: pure, and idempotent by lease id.

Each gets the stored record and the server time, and returns the record to write, or why there is
nothing to write. Only a claim drops expired holders.

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
    """The record to write, and the lease's holder in it."""

    record: Record
    holder: Holder


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """The record to write, without the lease's holder, and the past lease."""

    record: Record
    ended: PastLease


@dataclass(frozen=True, slots=True, kw_only=True)
class NotHeld:
    """The lease is not among the holders.

    Attributes:
        ended: how it ended, or None if the history does not contain it.
        holders: who holds the lock instead.
    """

    ended: PastLease | None
    holders: tuple[Holder, ...]


def empty_record(name: str, latest: float) -> Record:
    """Return the record of a lock that was never held.

    Its fence starts at the server time, so that a lock whose record was deleted does not grant an
    old token again.
    """
    return Record(name=name, fence=math.floor(latest * FENCE_PER_SECOND))


def drop_expired(record: Record, earliest: float) -> Record:
    """Return the record without the holders and the freeze that have expired."""
    over = [h for h in record.holders if earliest >= h.expires_at]
    if over:
        # The slot became free when the lease expired, not now that we notice.
        ends = [_past_lease(h, "expired", h.expires_at, "") for h in over]
        record = _without(record, ends)
    frozen = record.frozen
    if frozen is not None and frozen.until is not None and earliest >= frozen.until:
        freed_at = max(record.freed_at, frozen.until)
        record = replace(record, frozen=None, freed_at=freed_at)
    return record


def grant(
    record: Record, claimant: Claimant, *, now: Interval, revision: int, fence_seen: int
) -> Stamped:
    """Add the claimant to the holders, with the next token.

    Args:
        record: what `drop_expired` returned, and `decide` decided on.
        claimant: the new holder.
        now: the reading of the clock from which the holder's deadline counts too.
        revision: number of this attempt.
        fence_seen: the highest token of this lock that this process has read; not granted again.
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
        # `latest`, not `earliest`: with one stale Date the latter would let two jobs hold the lock.
        expires_at=now.latest + claimant.ttl,
        ttl=claimant.ttl,
        revision=revision,
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


def renew(record: Record, lease: str, *, now: Interval, revision: int) -> Stamped | NotHeld:
    """Stamp the lease with a new expiry; change nothing else."""
    mine = record.holder(lease)
    if mine is None:
        return _not_held(record, lease)
    renewed = replace(mine, expires_at=now.latest + mine.ttl, revision=revision)
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
        record: the stored record.
        lease: the lease id.
        earliest: the server time, at the earliest.
        note: why, for people.
        loss: why the job lost it before this release, or None.
    """
    return _removed(record, lease, "released", earliest, note, loss)


def evict(record: Record, lease: str, *, earliest: float, note: str) -> Removed | NotHeld:
    """End the lease of another job; the caller must be certain that the job is over.

    Args:
        record: the stored record.
        lease: the lease id.
        earliest: the server time, at the earliest.
        note: the proof that its job is over, or who ordered the eviction and why.
    """
    return _removed(record, lease, "evicted", earliest, note)


def freeze(record: Record, frozen: Freeze) -> Record:
    """Stop granting the lock; replace an earlier freeze, keep the holders."""
    return replace(record, frozen=frozen)


def unfreeze(record: Record, *, earliest: float) -> Record:
    """Grant the lock again, from now on."""
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
    ended = replace(_past_lease(holder, outcome, earliest, note), loss=loss)
    return Removed(record=_without(record, [ended]), ended=ended)


def _not_held(record: Record, lease: str) -> NotHeld:
    return NotHeld(ended=record.past(lease), holders=record.holders)


def _past_lease(holder: Holder, outcome: Outcome, ended_at: float, note: str) -> PastLease:
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
