"""Holders that need not be waited out, because they are known to be dead."""

from gcs_ci_lock.core.death import known_dead
from gcs_ci_lock.core.queue import Turn
from gcs_ci_lock.core.record import Ended, Owner, Record
from gcs_ci_lock.core.text import clipped
from gcs_ci_lock.intervening import evict
from gcs_ci_lock.lock import Lock
from gcs_ci_lock.ports import Verifier


class Deaths:
    """What one waiter knows of the deaths of others."""

    def __init__(self, lock: Lock, mine: Owner, verifier: Verifier) -> None:
        """Know of none.

        Args:
            lock: the lock.
            mine: the waiter's own job.
            verifier: is asked about the jobs of holders.
        """
        self._lock = lock
        self._mine = mine
        self._verifier = verifier
        # Lease -> the proof.
        self._proofs: dict[str, str] = {}

    def make_room(self, record: Record, turn: Turn) -> bool:
        """Evict the dead among those who keep the waiter out; tell whether there were any.

        Raises:
            StoreError: it is not known whether all of them are evicted; call again.
        """
        if turn.beside_holders or record.frozen is not None:
            return False
        evicted = False
        for holder in record.holders:
            if proof := clipped(self._proof(holder.owner, turn)):
                self._proofs[holder.lease] = proof
                evict(self._lock, holder.lease, note=proof)
                evicted = True
        return evicted

    def caused(self, ended: Ended) -> bool:
        """Tell whether a lease was ended by this waiter."""
        return ended.outcome == "evicted" and self._proofs.get(ended.lease) == ended.note

    def _proof(self, holder: Owner, turn: Turn) -> str:
        if proof := known_dead(holder, self._mine):
            return proof
        # The first of a repository asks for all of it: its questions are counted together.
        repository = (self._mine.platform, self._mine.repository)
        if any((t.owner.platform, t.owner.repository) == repository for t in turn.ahead):
            return ""
        return self._verifier.proof(holder)
