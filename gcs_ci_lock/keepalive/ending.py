"""How the lease of a job ended, from what its keeper said and what the record says.

A loss that was known when the lease was released is noted in the history, so that whoever asks
again is told the same.
"""

from dataclasses import dataclass
from typing import Final

from gcs_ci_lock.keepalive.lease_ref import LeaseRef
from gcs_ci_lock.keepalive.sidecar.messages import KeeperStatus
from gcs_ci_lock.locking.lease import Lost, removed_from_record
from gcs_ci_lock.protocol.record import PastLease
from gcs_ci_lock.protocol.transitions import NotHeld

_LOST: Final = "lost: "


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordReplaced:
    """The record knows nothing of the lease: somebody has deleted or replaced it."""

    lost: Lost


def loss_before_release(
    lease_ref: LeaseRef, status: KeeperStatus | None, *, gone: bool
) -> Lost | None:
    """Return the loss that is known before the record is asked, or None.

    Args:
        lease_ref: the lease.
        status: the last that its keeper said, or None.
        gone: whether there should be a keeper, and is none.
    """
    if status is not None and status.phase == "lost":
        return Lost(reason=status.reason)
    if gone:
        return Lost(reason=f"token {lease_ref.token}: its keeper is gone, and nobody renewed it")
    return None


def release_note(known: Lost | None) -> str:
    """Return the note with which a lease is released whose loss is known."""
    return f"{_LOST}{known.reason}" if known else ""


def how_it_ended(
    lease_ref: LeaseRef, known: Lost | None, result: PastLease | NotHeld
) -> Lost | RecordReplaced | None:
    """Return how the lease was lost; None: it was not, and is released.

    Args:
        lease_ref: the lease.
        known: what `loss_before_release` returned.
        result: the lease's own release, by this or an earlier call, or that it is not held.
    """
    if isinstance(result, PastLease):
        if result.note.startswith(_LOST):
            return Lost(reason=result.note.removeprefix(_LOST))
        # The job itself notes nothing; its keeper says why it went before it was asked to.
        return Lost(reason=f"token {lease_ref.token}: {result.note}") if result.note else None
    if not lease_ref.token:
        return None
    taken = removed_from_record(lease_ref.token, result)
    if result.ended is not None:
        return taken
    return known or RecordReplaced(lost=taken)
