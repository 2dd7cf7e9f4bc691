"""A waiter's own ticket: written, refreshed, found again, and deleted.

It decides nothing. A ticket that could not be written can cost the position in the queue, no more.
"""

import itertools
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final

from gcs_ci_lock.errors import OutcomeUnknown, PreconditionFailed, StoreError
from gcs_ci_lock.locking.client import LockClient
from gcs_ci_lock.protocol.obsolete import job_key
from gcs_ci_lock.protocol.queue import NOT_ASKED, REFRESH_EVERY, Claimant
from gcs_ci_lock.protocol.record import Ticket
from gcs_ci_lock.protocol.server_time import Interval
from gcs_ci_lock.protocol.ticket_metadata import encode_ticket, parse_timestamp

MAX_ABANDONED_DELETED: Final = 20


class OwnTicket:
    """The ticket of one waiter in the queue of one lock; it need not exist yet.

    Args:
        lock: the lock.
        claimant: the waiter.

    Attributes:
        claimant: the waiter, with what is known about its ticket.
    """

    def __init__(self, lock: LockClient, claimant: Claimant) -> None:
        self._lock = lock
        self.claimant = claimant
        self._arrival_text = ""
        self._created_text = ""
        self._generation = 0
        self._written_at: float | None = None
        # False after a write whose effect is not known: list the queue before the next write.
        self._certain = True

    @property
    def needs_listing(self) -> bool:
        """Whether the queue must be listed before the ticket can be written again."""
        return not self._certain

    @property
    def may_exist(self) -> bool:
        """Whether our ticket may be in the queue."""
        return self._generation != 0 or not self._certain

    def note_first_read(self, now: Interval) -> None:
        """Remember when the lock was first read; later calls change nothing."""
        if self.claimant.asked is NOT_ASKED:
            self.claimant = replace(self.claimant, asked=now)

    def sync(self, tickets: Sequence[Ticket]) -> None:
        """Note what a listing shows of our ticket."""
        mine = next((t for t in tickets if t.lease == self.claimant.lease), None)
        self._certain = True
        if mine is None:
            # Deleted while we were suspended, or never written: write it with the old arrival.
            self._generation = 0
            return
        if mine.generation != self._generation and self._generation == 0:
            # The write whose response was lost has landed; its age is not known, so refresh it.
            self._written_at = None
        self._generation = mine.generation
        self._arrived(mine.arrival_text, mine.created_text)

    def refresh(self) -> None:
        """Write the ticket, or refresh it if that is due (step W3); at most one request.

        Raises:
            StoreError: it could not be written; call again.
        """
        boot = self._lock.clock.boottime()
        fresh = self._written_at is not None and boot - self._written_at < REFRESH_EVERY
        if not self._certain or (self._generation and fresh):
            return
        self._certain = False
        try:
            entry = self._lock.store.write(
                self._path,
                b"",
                generation=self._generation,
                metadata=encode_ticket(self._ticket()),
                timeout=self._lock.timing.write_timeout,
            )
        except PreconditionFailed:
            # Deleted, superseded, or our own write whose response was lost: list to find out.
            return
        self._certain = True
        self._generation = entry.generation
        self._written_at = boot
        self._arrived(entry.created_text, entry.created_text)

    def supersede(self, older: Sequence[Ticket]) -> None:
        """Mark older waiters of our job as superseded, and take the first one's place (step W1).

        Their tickets are not deleted: a waiter whose ticket is gone writes it again.

        Args:
            older: their tickets, first in the queue first, as just listed.

        Raises:
            StoreError: not all of them are marked; list and call again.
        """
        if older[0].arrival < self.claimant.arrival:
            self._arrival_text = older[0].arrival_text
            self.claimant = replace(self.claimant, arrival=older[0].arrival)
            # Write it at once: otherwise the position would be lost with us.
            self._written_at = None
        self.refresh()
        if not self._generation:
            return
        for ticket in older:
            with suppress(PreconditionFailed):
                self._lock.store.write(
                    self._lock.paths.ticket(ticket.lease),
                    b"",
                    generation=ticket.generation,
                    metadata=encode_ticket(replace(ticket, superseded_by=self.claimant.lease)),
                    timeout=self._lock.timing.write_timeout,
                )

    def with_lease(self, lease: str) -> "OwnTicket":
        """Return a ticket for another lease id, with the same arrival."""
        successor = OwnTicket(self._lock, replace(self.claimant, lease=lease))
        successor._arrival_text = self._arrival_text
        successor._created_text = self._created_text
        return successor

    def delete(self) -> None:
        """Delete the ticket, if it may exist.

        Raises:
            StoreError: it may still exist; it expires by itself after 90 s.
        """
        for _ in range(3):
            if not self.may_exist:
                return
            if not self._certain:
                self.sync(self._lock.tickets())
                continue
            try:
                delete(self._lock, self.claimant.lease, self._generation)
            except OutcomeUnknown:
                self._certain = False
                raise
            except PreconditionFailed:
                self._certain = False
                continue
            self._generation = 0
        if not self.may_exist:
            return
        message = f"ticket {self.claimant.lease} keeps changing: it could not be deleted"
        raise StoreError(message)

    @property
    def _path(self) -> str:
        return self._lock.paths.ticket(self.claimant.lease)

    def _ticket(self) -> Ticket:
        return Ticket(
            lease=self.claimant.lease,
            owner=self.claimant.owner,
            slots=self.claimant.slots,
            ttl=self.claimant.ttl,
            arrival=self.claimant.arrival,
            arrival_text=self._arrival_text,
            refreshed_at=0.0,
            generation=self._generation,
            created_text=self._created_text,
            priority=self.claimant.priority,
            job_key=job_key(self.claimant.owner),
        )

    def _arrived(self, arrival_text: str, created_text: str) -> None:
        """Note the times of the first version; those of later versions do not count."""
        arrival, created = parse_timestamp(arrival_text), parse_timestamp(created_text)
        if arrival is not None and not self._arrival_text:
            self._arrival_text = arrival_text
            self.claimant = replace(self.claimant, arrival=arrival)
        if created is not None and not self._created_text:
            self._created_text = created_text
            self.claimant = replace(self.claimant, created=created)


def delete(lock: LockClient, lease: str, generation: int) -> None:
    """Delete one ticket of the lock's queue.

    Raises:
        StoreError: as `ObjectStore.delete`.
    """
    lock.store.delete(
        lock.paths.ticket(lease), generation=generation, timeout=lock.timing.write_timeout
    )


def delete_abandoned(lock: LockClient, abandoned: Iterable[Ticket], *, until: float) -> None:
    """Delete abandoned tickets, but not later than `until` on the boot clock.

    Raises:
        StoreError: the rest stays; it does not count.
    """
    for ticket in itertools.islice(abandoned, MAX_ABANDONED_DELETED):
        if lock.clock.boottime() >= until:
            return
        delete(lock, ticket.lease, ticket.generation)
