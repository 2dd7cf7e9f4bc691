"""Where one waiter stands: its place in the queue, its view of the others, and what follows.

It decides with `protocol.admission`, on tickets as fresh as the decision needs; it claims nothing.
"""

import math
from dataclasses import replace

from gcs_ci_lock.errors import LockError, OutcomeUnknown, StoreError
from gcs_ci_lock.locking.client import LockClient
from gcs_ci_lock.locking.leaving import CLEAN_UP, delete_abandoned
from gcs_ci_lock.locking.lineup import Lineup
from gcs_ci_lock.locking.own_ticket import OwnTicket
from gcs_ci_lock.locking.request import LockRequest
from gcs_ci_lock.protocol.admission import (
    AlreadyEnded,
    AlreadyHolding,
    MayClaim,
    MustWait,
    NeedsQueue,
    decide,
)
from gcs_ci_lock.protocol.obsolete import Outdated, Superseded, older_waiters
from gcs_ci_lock.protocol.queue import Claimant, QueuePosition, active
from gcs_ci_lock.protocol.record import Record
from gcs_ci_lock.protocol.server_time import Interval

Decided = AlreadyHolding | AlreadyEnded | Outdated | Superseded | MayClaim | MustWait


class Contender:
    """One waiter among all."""

    def __init__(self, lock: LockClient, request: LockRequest, lease: str) -> None:
        """Take no place yet; no request is made."""
        self._lock = lock
        # Who tries only once takes nobody's place, and none of its own.
        self._queues = request.wait > request.spent
        self._queue = Lineup(lock.tickets)
        self.ticket = OwnTicket(lock, request.claimant(lease))

    @property
    def claimant(self) -> Claimant:
        """Who asks."""
        return self.ticket.claimant

    def note_first_read(self, now: Interval) -> None:
        """Take note of the first look at the lock; later ones change nothing."""
        if math.isnan(self.claimant.asked_at):
            self.ticket.claimant = replace(
                self.claimant, asked_at=now.earliest, asked_by=now.latest
            )

    def decide(self, record: Record, earliest: float) -> Decided:
        """Decide by the tickets known, and again by a new listing where those will not do.

        Raises:
            StoreError: the queue cannot be listed.
        """
        tickets = self._queue.tickets
        decision = decide(record, self.claimant, tickets=tickets, earliest=earliest)
        if isinstance(decision, AlreadyHolding | AlreadyEnded | Outdated | Superseded):
            return decision
        boot = self._lock.clock.boottime()
        if self.ticket.needs_listing or self._queue.is_stale(record, decision, boot):
            tickets = self._queue.refresh(record, boot)
            self.ticket.sync(tickets)
            decision = decide(record, self.claimant, tickets=tickets, earliest=earliest)
        if isinstance(decision, NeedsQueue):
            message = "the queue was listed and is still needed"
            raise AssertionError(message)  # noqa: TRY004 - no caller can bring this about
        return decision

    def supersede(self, record: Record, earliest: float) -> bool:
        """Make older waiters of our line void; tell whether there were any.

        Raises:
            StoreError: not all of them know; look and call again.
        """
        counted = active(self._queue.tickets or (), record, earliest)
        older = older_waiters(self.claimant, {ticket.lease: ticket for ticket in counted})
        if not older or not self._queues:
            return False
        self.ticket.supersede(older)
        self._queue.invalidate()
        return True

    def settle_time_left(
        self, position: QueuePosition, record: Record, *, may_claim: bool, looked_at: float
    ) -> float:
        """Return the seconds for which this must still be seen unchanged; infinite: just wait.

        Args:
            position: where we stand.
            record: as settled.
            may_claim: whether it was decided that we may claim then.
            looked_at: boot clock before the look that this is based on was begun.
        """
        boot = self._lock.clock.boottime() if may_claim else looked_at
        left = self._queue.settle_time_left(position, record, looked_at=looked_at, boot=boot)
        return left if may_claim else math.inf

    def refresh_ticket(self) -> str:
        """Write or refresh the ticket; return why it could not be, or ""."""
        try:
            if self._queues:
                self.ticket.refresh()
        except OutcomeUnknown as trouble:
            # It costs the place, no more.
            return str(trouble)
        return ""

    def waiters(self, record: Record, earliest: float) -> int:
        """Return how many wait, this one included."""
        counted = active(self._queue.tickets or (), record, earliest)
        return sum(ticket.lease != self.claimant.lease for ticket in counted) + 1

    def invalidate(self) -> None:
        """List the queue before anything else is decided."""
        self._queue.invalidate()

    def restart_as(self, lease: str) -> None:
        """Keep the arrival; the old lease id has been served and must never be claimed again."""
        old = self.ticket
        self.ticket = old.with_lease(lease)
        self._queue.invalidate()
        try:
            old.delete()
        except StoreError:
            # It dies by itself, and does not count: its lease is in the history.
            return

    def clean_up(self, *, sent_at: float, beat: float | None) -> None:
        """Delete our ticket and the dead ones before it; deleting never delays a beat.

        Args:
            sent_at: boot clock of our claim.
            beat: seconds to the first renewal, or None.
        """
        until = sent_at + min(beat or CLEAN_UP, CLEAN_UP) / 2
        try:
            self.ticket.delete()
            earliest = self._lock.now().earliest
            dead = self._queue.abandoned_before(self.claimant.arrival, earliest)
            delete_abandoned(self._lock, dead, until=until)
        except LockError:
            # They die by themselves; our own does not count, for we are among the holders.
            return
