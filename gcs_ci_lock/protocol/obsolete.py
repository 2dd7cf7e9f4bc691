"""Lines: the runs of one job of one workflow, among which a later one may make an earlier one void.

The record keeps one number for each job, and for each of its policies: no grant ever goes back
behind it, whatever has become of the tickets meanwhile.
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
    """A later number of the claimant's line has been granted: it must never enter.

    Attributes:
        sequence: the claimant's own number.
        granted: the highest that was granted.
    """

    sequence: int
    granted: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Superseded:
    """A newer waiter of the claimant's line stands in its place, or has entered already.

    Attributes:
        by: the newer one's lease id, "" if it is not known any more.
    """

    by: str


def job_key(owner: Owner) -> str:
    """Return the line of a job: platform/repository/workflow/job, printable, of bounded length.

    Two jobs are in two lines also where their names differ only in what is not printable, or in
    where one part ends.
    """
    parts = [owner.platform, owner.repository, owner.workflow, owner.job]
    if not any(parts[1:]):
        # A person's machine has neither repository nor workflow.
        parts += [owner.runner, owner.actor]
    whole = "/".join(part for part in parts if part)
    shown = printable(whole)
    # GitLab's jobs may have a "/" as its projects have; those of GitHub have none.
    if shown == whole and "/" not in owner.job:
        return shown
    exactly = f"{whole}\n{owner.job}"
    digest = hashlib.sha256(exactly.encode(errors="surrogatepass")).hexdigest()[:_DIGEST]
    return f"{printable(whole, limit=MAX_FOREIGN - _DIGEST - 1)}-{digest}"


def why_obsolete(
    record: Record, claimant: Claimant, ticket: Ticket | None
) -> Outdated | Superseded | None:
    """Tell why a claimant must never enter any more, or None.

    Args:
        record: as `drop_expired` returned it.
        claimant: who asks.
        ticket: its own ticket as last listed, or None.
    """
    job = job_key(claimant.owner)
    granted = record.sequences.get(job, -1)
    if claimant.sequence is not None and granted > claimant.sequence:
        return Outdated(sequence=claimant.sequence, granted=granted)
    if ticket is not None and ticket.superseded_by:
        return Superseded(by=ticket.superseded_by)
    # Also where its ticket was swept while it slept.
    came = min(claimant.created, claimant.asked.latest)
    if record.sequences.get(_NEWEST + job, -1) > came * _MICROSECONDS:
        return Superseded(by="")
    return None


def with_sequences(record: Record, claimant: Claimant) -> dict[str, int]:
    """Return the numbers of all lines after a claimant has entered; the last one stands last."""
    job = job_key(claimant.owner)
    numbers = dict(record.sequences)
    if claimant.sequence is not None:
        _raise_to(numbers, job, claimant.sequence)
    if claimant.newest:
        # Without a ticket it came between two bounds; the lower one makes no later one void.
        came = claimant.created if math.isfinite(claimant.created) else claimant.asked.earliest
        _raise_to(numbers, _NEWEST + job, int(came * _MICROSECONDS))
    return dict(list(numbers.items())[-SEQUENCES_LENGTH:])


def _raise_to(numbers: dict[str, int], key: str, number: int) -> None:
    numbers[key] = max(numbers.pop(key, number), number)


def older_waiters(claimant: Claimant, counted: Mapping[str, Ticket]) -> tuple[Ticket, ...]:
    """Return the waiters that a newer one of their line supersedes, first in line first.

    Args:
        claimant: the newer one.
        counted: lease -> ticket, of those that count.
    """
    if not claimant.newest:
        return ()
    job = job_key(claimant.owner)
    mine = counted.get(claimant.lease)
    created = (mine.created if mine else claimant.created, claimant.lease)
    older = (t for t in counted.values() if t.job_key == job and (t.created, t.lease) < created)
    return tuple(sorted(older, key=lambda t: t.arrival))
