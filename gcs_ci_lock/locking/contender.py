"""One contender in the queue: its ticket, the queue as last listed, and the decision that follows.

It decides with `protocol.admission`, on tickets as fresh as the decision needs. It never claims.

In model/lock.pml: nothing_left_behind.
"""

import math
from collections.abc import Callable

from gcs_ci_lock.errors import LockError, OutcomeUnknown, StoreError
from gcs_ci_lock.locking.client import LockClient
from gcs_ci_lock.locking.own_ticket import OwnTicket, delete_abandoned
from gcs_ci_lock.locking.request import LockRequest
from gcs_ci_lock.locking.retry import CLEAN_UP_WITHIN, retry
from gcs_ci_lock.ports import Random
from gcs_ci_lock.protocol.admission import (
    AlreadyEnded,
    AlreadyHolding,
    MayClaim,
    MustWait,
    NeedsQueue,
    decide,
)
from gcs_ci_lock.protocol.obsolete import Outdated, Superseded, older_waiters
from gcs_ci_lock.protocol.queue import Claimant, QueuePosition, active, is_abandoned
from gcs_ci_lock.protocol.record import Record, Ticket
from gcs_ci_lock.protocol.server_time import Interval

LIST_EVERY = 30.0

Decided = AlreadyHolding | AlreadyEnded | Outdated | Superseded | MayClaim | MustWait


class Contender:
    """One waiter in the queue.

    Args:
        lock: the lock.
        request: what is asked for.
        lease: the lease id to claim.

    Attributes:
        ticket: its own ticket.
    """

    def __init__(self, lock: LockClient, request: LockRequest, lease: str) -> None:
        self._lock = lock
        # Without time to wait it writes no ticket and supersedes nobody.
        self._queues = request.wait > request.spent
        self.ticket = OwnTicket(lock, request.claimant(lease))
        # The queue as last listed; None: list it before the next decision.
        self._tickets: tuple[Ticket, ...] | None = None
        self._listed_at = -math.inf
        self._listed_for: object = None
        # What must stay unchanged until we may claim, and the boot clock when we first saw it.
        self._watched: object = None
        self._watched_since = 0.0

    @property
    def claimant(self) -> Claimant:
        """The lease id, what it asks for, and its place in the queue."""
        return self.ticket.claimant

    def note_first_read(self, now: Interval) -> None:
        """Remember when the lock was first read; later calls change nothing."""
        self.ticket.note_first_read(now)

    def decide(self, record: Record, earliest: float) -> Decided:
        """Decide on the known tickets, and again on a new listing if they are too old (step C5).

        Raises:
            StoreError: the queue cannot be listed.
        """
        decision = decide(record, self.claimant, tickets=self._tickets, earliest=earliest)
        if isinstance(decision, AlreadyHolding | AlreadyEnded | Outdated | Superseded):
            return decision
        boot = self._lock.clock.boottime()
        if self.ticket.needs_listing or self._is_stale(record, decision, boot):
            tickets = self._list(record, boot)
            self.ticket.sync(tickets)
            decision = decide(record, self.claimant, tickets=tickets, earliest=earliest)
        if isinstance(decision, NeedsQueue):
            message = "the queue was listed and is still needed"
            raise AssertionError(message)  # noqa: TRY004 - no caller can bring this about
        return decision

    def supersede(self, record: Record, earliest: float) -> bool:
        """Supersede older waiters of the same job; return whether there were any (step W1).

        Raises:
            StoreError: not every older ticket was marked; read and call again.
        """
        older = older_waiters(self.claimant, {t.lease: t for t in self._active(record, earliest)})
        if not older or not self._queues:
            return False
        self.ticket.supersede(older)
        self.invalidate()
        return True

    def settle_time_left(
        self, position: QueuePosition, record: Record, *, may_claim: bool, read_at: float
    ) -> float:
        """Return for how many more seconds queue and holders must be seen unchanged (step C7).

        Args:
            position: our place in the queue.
            record: as returned by `drop_expired`.
            may_claim: whether a claim is allowed after that; otherwise the result is infinite.
            read_at: boot clock before the read on which the decision is based.
        """
        boot = self._lock.clock.boottime() if may_claim else read_at
        left = self._unsettled(position, record, read_at=read_at, boot=boot)
        return left if may_claim else math.inf

    def refresh_ticket(self) -> str:
        """Write or refresh the ticket; return why that failed, or ""."""
        try:
            if self._queues:
                self.ticket.refresh()
        except OutcomeUnknown as trouble:
            # This can cost the position in the queue, nothing else.
            return str(trouble)
        return ""

    def waiters(self, record: Record, earliest: float) -> int:
        """Return how many jobs wait, including this one."""
        counted = self._active(record, earliest)
        return sum(ticket.lease != self.claimant.lease for ticket in counted) + 1

    def invalidate(self) -> None:
        """List the queue before the next decision."""
        self._tickets = None

    def restart_as(self, lease: str) -> None:
        """Continue under a new lease id, with the old arrival.

        The old id was granted once and must never be claimed again.
        """
        old = self.ticket
        self.ticket = old.with_lease(lease)
        self.invalidate()
        try:
            old.delete()
        except StoreError:
            # It expires by itself and does not count: its lease is in the history.
            return

    @property
    def may_leave_ticket(self) -> bool:
        """Whether a ticket of ours may be in the bucket."""
        return self.ticket.may_exist

    def withdraw(self, *, claim_may_land: bool, random: Random) -> bool:
        """Leave neither a claim nor a ticket behind (step W5); return whether that succeeded.

        Args:
            claim_may_land: whether a claim of ours may be in the record, now or later.
            random: jitter.
        """
        steps: list[Callable[[], object]] = [self.ticket.delete]
        if claim_may_land:
            steps.insert(0, lambda: self._lock.void_claim(self.claimant.lease))
        clean = True
        for step in steps:
            try:
                retry(self._lock, random, step, within=CLEAN_UP_WITHIN)
            except LockError:
                # A ticket expires by itself, and so does a claim that is not renewed.
                clean = False
        return clean

    def clean_up(self, *, sent_at: float, renew_every: float | None) -> None:
        """Delete our ticket and the abandoned ones before it (step W6), without delaying a renewal.

        Args:
            sent_at: boot clock of our claim.
            renew_every: seconds to the first renewal, or None.
        """
        until = sent_at + min(renew_every or CLEAN_UP_WITHIN, CLEAN_UP_WITHIN) / 2
        try:
            self.ticket.delete()
            earliest = self._lock.now().earliest
            abandoned = self._abandoned_before(self.claimant.arrival, earliest)
            delete_abandoned(self._lock, abandoned, until=until)
        except LockError:
            # They expire by themselves; ours does not count, because we hold the lock.
            return

    def _active(self, record: Record, earliest: float) -> list[Ticket]:
        return active(self._tickets or (), record, earliest)

    def _abandoned_before(self, arrival: float, earliest: float) -> list[Ticket]:
        tickets = self._tickets or ()
        return [t for t in tickets if is_abandoned(t, earliest) and t.arrival <= arrival]

    def _is_stale(
        self, record: Record, decision: NeedsQueue | MustWait | MayClaim, boot: float
    ) -> bool:
        if isinstance(decision, NeedsQueue):
            return True
        if decision.position is None:
            return False
        # Only tickets keep us from the lock: never claim on an old listing.
        only_tickets = decision.position.fits_holders and record.frozen is None
        return (
            only_tickets
            or self._listed_for != _fingerprint(record)
            or boot - self._listed_at >= LIST_EVERY
        )

    def _list(self, record: Record, boot: float) -> tuple[Ticket, ...]:
        self._tickets = tickets = self._lock.tickets()
        self._listed_at = boot
        self._listed_for = _fingerprint(record)
        return tickets

    def _unsettled(
        self, position: QueuePosition, record: Record, *, read_at: float, boot: float
    ) -> float:
        if position.settle_time in (0.0, math.inf):
            self._watched = None
            return position.settle_time
        seen = (tuple(t.lease for t in position.ahead), _fingerprint(record))
        if seen != self._watched:
            self._watched = seen
            self._watched_since = boot
        return max(position.settle_time - (read_at - self._watched_since), 0.0)


def _fingerprint(record: Record) -> object:
    """Return what must change before the queue is listed again; a renewal does not change it."""
    return (tuple(h.lease for h in record.holders), record.freed_at, record.frozen)
