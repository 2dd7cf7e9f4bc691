"""The claims of one waiter: none is forgotten before it is certain what has become of it.

In model/lock.pml: seen_outside.
"""

from gcs_ci_lock.errors import LockError, OutcomeUnknown, PreconditionFailed
from gcs_ci_lock.locking.client import LockClient
from gcs_ci_lock.locking.lease import LeaseState
from gcs_ci_lock.locking.record_store import VersionedRecord
from gcs_ci_lock.protocol.queue import Claimant


class PendingClaim:
    """What a waiter has written into the record, or may have."""

    def __init__(self, lock: LockClient) -> None:
        """Begin without a claim."""
        self._lock = lock
        # The generation that a claim named whose effect has not been seen yet.
        self._stray: int | None = None

    @property
    def may_land(self) -> bool:
        """Tell whether a claim of ours may be in the record, or come to be."""
        return self._stray is not None

    def submit(self, claimant: Claimant, stored: VersionedRecord) -> LeaseState:
        """Claim on what was just read; one request.

        Raises:
            PreconditionFailed: somebody wrote since, perhaps we ourselves.
            OutcomeUnknown: it may have landed.
            LockError: it was refused, and never lands.
        """
        certain, self._stray = self._stray, stored.generation
        try:
            return self._lock.claim(claimant)
        except (PreconditionFailed, OutcomeUnknown):
            raise
        except LockError:
            # A refusal is an answer: this claim will never land.
            self._stray = certain
            raise

    def observed_absent(self, stored: VersionedRecord) -> None:
        """Take note of a record that does not name us."""
        # A generation does not come back, except that of "no object": the stray write is dead.
        if self._stray is not None and self._stray != stored.generation:
            self._stray = None

    def accept(self, lease: LeaseState) -> bool:
        """Tell whether a claim that is in the record came before its own give-up.

        Else it was never ours: nobody has believed in it, and it is released.
        """
        ours = lease.believes_held(self._lock.clock.boottime(), self._lock.now().latest)
        if not ours:
            self._lock.release(lease.id)
        self._stray = None
        return ours

    def revoke(self) -> None:
        """Take note that a claim which has landed is to be taken back."""
        self._stray = 0

    def clear(self) -> None:
        """Take note that no claim of ours is there, nor will come."""
        self._stray = None
