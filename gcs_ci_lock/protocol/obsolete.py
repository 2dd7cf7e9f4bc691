"""Obsolete runs: a later run of the same job may make an earlier one outdated or superseded.

The record keeps one number per job and policy. No grant ever goes below it, whatever happened to
the tickets in the meantime.
"""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gcs_ci_lock.protocol.queue import Claimant
from gcs_ci_lock.protocol.record import SEQUENCES_LENGTH, Owner, Record, Ticket
from gcs_ci_lock.protocol.text import MAX_FOREIGN, printable

_DIGEST: Final = 16
_NEWEST: Final = "newest:"
_MICROSECONDS: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Outdated:
    """A higher sequence number of the same job was granted: the claimant must never be granted.

    Attributes:
        sequence: the claimant's own number.
        granted: the highest that was granted.
    """

    sequence: int
    granted: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Superseded:
    """A newer run of the same job has replaced the claimant in the queue, or was granted the lock.

    Attributes:
        by: the newer one's lease id, or "" if it is not known any more.
    """

    by: str


def job_key(owner: Owner) -> str:
    """Return the key of a job: platform/repository/workflow/job, printable, of bounded length.

    Two jobs have two keys, even if their names differ only in what is not printable, or in where
    one part ends.
    """
    parts = [owner.platform, owner.repository, owner.workflow, owner.job]
    if not any(parts[1:]):
        # Without a CI system there is neither repository nor workflow.
        parts += [owner.runner, owner.actor]
    whole = "/".join(part for part in parts if part)
    shown = printable(whole)
    # Names of GitLab's jobs may contain "/", as its projects do; those of GitHub cannot.
    if shown == whole and "/" not in owner.job:
        return shown
    exactly = f"{whole}\n{owner.job}"
    digest = hashlib.sha256(exactly.encode(errors="surrogatepass")).hexdigest()[:_DIGEST]
    return f"{printable(whole, limit=MAX_FOREIGN - _DIGEST - 1)}-{digest}"


def why_obsolete(
    record: Record, claimant: Claimant, ticket: Ticket | None
) -> Outdated | Superseded | None:
    """Return why a claimant must never be granted the lock (step C3), or None.

    Args:
        record: as returned by `drop_expired`.
        claimant: the claimant.
        ticket: its own ticket as last listed, or None.
    """
    job = job_key(claimant.owner)
    granted = record.sequences.get(job, -1)
    if claimant.sequence is not None and granted > claimant.sequence:
        return Outdated(sequence=claimant.sequence, granted=granted)
    if ticket is not None and ticket.superseded_by:
        return Superseded(by=ticket.superseded_by)
    # This also holds if its ticket was deleted while it was suspended.
    came = min(claimant.created, claimant.asked.latest)
    if record.sequences.get(_NEWEST + job, -1) > came * _MICROSECONDS:
        return Superseded(by="")
    return None


def with_sequences(record: Record, claimant: Claimant) -> dict[str, int]:
    """Return the numbers of all jobs after the claimant is granted; its job comes last."""
    job = job_key(claimant.owner)
    numbers = dict(record.sequences)
    if claimant.sequence is not None:
        _raise_to(numbers, job, claimant.sequence)
    if claimant.newest:
        # Without a ticket it came between two bounds; the lower one supersedes no later run.
        came = claimant.created if math.isfinite(claimant.created) else claimant.asked.earliest
        _raise_to(numbers, _NEWEST + job, int(came * _MICROSECONDS))
    return dict(list(numbers.items())[-SEQUENCES_LENGTH:])


def _raise_to(numbers: dict[str, int], key: str, number: int) -> None:
    numbers[key] = max(numbers.pop(key, number), number)


def older_waiters(claimant: Claimant, counted: Mapping[str, Ticket]) -> tuple[Ticket, ...]:
    """Return the waiters that a newer run of their job supersedes, first in the queue first.

    Args:
        claimant: the newer one.
        counted: lease id -> ticket, of the tickets that count.
    """
    if not claimant.newest:
        return ()
    job = job_key(claimant.owner)
    mine = counted.get(claimant.lease)
    created = (mine.created if mine else claimant.created, claimant.lease)
    older = (t for t in counted.values() if t.job_key == job and (t.created, t.lease) < created)
    return tuple(sorted(older, key=lambda t: t.arrival))
