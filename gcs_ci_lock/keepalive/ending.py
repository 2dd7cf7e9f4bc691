"""How the lease of a job ended, according to its keeper and to the record."""

from dataclasses import dataclass

from gcs_ci_lock.keepalive.lease_ref import LeaseRef
from gcs_ci_lock.keepalive.sidecar.messages import KeeperStatus
from gcs_ci_lock.locking.lease import Lost, removed_from_record
from gcs_ci_lock.protocol.record import LossReason, PastLease
from gcs_ci_lock.protocol.transitions import NotHeld


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordReplaced:
    """The lease is unknown to the record, which was deleted or replaced."""

    lost: Lost


def loss_before_release(
    lease_ref: LeaseRef, status: KeeperStatus | None, *, gone: bool
) -> Lost | None:
    """Return the loss that is known before the record is read, or None.

    Args:
        lease_ref: the lease.
        status: the last status of its keeper, or None.
        gone: whether the lease should have a keeper and has none.
    """
    if status is not None and status.phase == "lost":
        return status.lost
    return keeper_gone(lease_ref) if gone else None


def keeper_gone(lease_ref: LeaseRef) -> Lost:
    """Return the loss of a lease whose keeper ended without a report."""
    message = f"token {lease_ref.token}: its keeper is gone, and nothing renews it"
    return Lost(reason=LossReason.KEEPER_GONE, message=message)


def how_it_ended(
    lease_ref: LeaseRef, known: Lost | None, result: PastLease | NotHeld
) -> Lost | RecordReplaced | None:
    """Return how the lease was lost; None: it was not lost, and is released.

    Args:
        lease_ref: the lease.
        known: as returned by `loss_before_release`.
        result: the past lease, released now or earlier; or `NotHeld`.
    """
    if isinstance(result, PastLease):
        # The release of a lost lease notes its loss: every later step reports the same.
        return Lost(reason=result.loss, message=result.note) if result.loss else None
    if not lease_ref.token:
        return None
    lost = removed_from_record(lease_ref.token, result)
    if result.ended is not None:
        return lost
    return known or RecordReplaced(lost=lost)
