"""The claim of one waiter whose fate is not certain yet.

In model/lock.pml: seen_outside.
"""

from gcs_ci_lock.errors import LockError, OutcomeUnknown, PreconditionFailed
from gcs_ci_lock.locking.client import LockClient
from gcs_ci_lock.locking.lease import LeaseState
from gcs_ci_lock.locking.record_store import VersionedRecord
from gcs_ci_lock.protocol.queue import Claimant


class PendingClaim:
    """What a waiter has written into the record, or may have written; nothing at first.

    Args:
        lock: the lock.
    """

    def __init__(self, lock: LockClient) -> None:
        self._lock = lock
        # The generation named by the claim whose effect is not known yet.
        self._stray: int | None = None

    @property
    def may_land(self) -> bool:
        """Whether a claim of ours may be in the record, now or later."""
        return self._stray is not None

    def submit(self, claimant: Claimant, stored: VersionedRecord) -> LeaseState:
        """Write a claim on the record that was just read; one request.

        Raises:
            PreconditionFailed: the record has changed since, perhaps by our own write.
            OutcomeUnknown: the claim may have landed.
            LockError: the claim was refused and will never land.
        """
        certain, self._stray = self._stray, stored.generation
        try:
            return self._lock.claim(claimant)
        except (PreconditionFailed, OutcomeUnknown):
            raise
        except LockError:
            # A refusal is a definite response: this claim will never land.
            self._stray = certain
            raise

    def observed_absent(self, stored: VersionedRecord) -> None:
        """Note a record that does not name us."""
        # A generation never comes back, except that of "no object": the stray write cannot land.
        if self._stray is not None and self._stray != stored.generation:
            self._stray = None

    def accept(self, lease: LeaseState) -> bool:
        """Return whether a claim in the record landed before its own give-up.

        If it did not, it never counted as ours, and it is released.
        """
        ours = lease.believes_held(self._lock.clock.boottime(), self._lock.now().latest)
        if not ours:
            self._lock.release(lease.id)
        self._stray = None
        return ours

    def revoke(self) -> None:
        """Note that a claim that has landed must be released."""
        self._stray = 0

    def clear(self) -> None:
        """Note that no claim of ours is in the record, now or later."""
        self._stray = None
