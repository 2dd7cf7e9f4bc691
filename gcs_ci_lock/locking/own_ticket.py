"""A waiter's own ticket: written, refreshed, found again, and deleted.

It decides nothing about who enters. A ticket that could not be written costs a place, no more.
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
    """The place of one waiter in the queue of one lock."""

    def __init__(self, lock: LockClient, claimant: Claimant) -> None:
        """Take no place yet; no request is made."""
        self._lock = lock
        self.claimant = claimant
        self._arrival_text = ""
        self._created_text = ""
        self._generation = 0
        self._written_at: float | None = None
        # False after a write whose effect has not been seen: list before any rewrite.
        self._certain = True

    @property
    def needs_listing(self) -> bool:
        """Tell whether the queue must be listed before the ticket can be written again."""
        return not self._certain

    @property
    def may_exist(self) -> bool:
        """Tell whether an object of ours may be in the queue."""
        return self._generation != 0 or not self._certain

    def note_first_read(self, now: Interval) -> None:
        """Remember when the lock was first read; later calls change nothing."""
        if self.claimant.asked is NOT_ASKED:
            self.claimant = replace(self.claimant, asked=now)

    def sync(self, tickets: Sequence[Ticket]) -> None:
        """Take note of what a listing showed of our ticket."""
        mine = next((t for t in tickets if t.lease == self.claimant.lease), None)
        self._certain = True
        if mine is None:
            # Swept while we slept, or never written: to be written (again), with the old arrival.
            self._generation = 0
            return
        if mine.generation != self._generation and self._generation == 0:
            # The write whose answer was lost has landed; when, only the next refresh will tell.
            self._written_at = None
        self._generation = mine.generation
        self._arrived(mine.arrival_text, mine.created_text)

    def refresh(self) -> None:
        """Write the ticket if there is none, refresh it if that is due; at most one request.

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
            # Swept, superseded, or our own write whose answer was lost: the listing will tell.
            return
        self._certain = True
        self._generation = entry.generation
        self._written_at = boot
        self._arrived(entry.created_text, entry.created_text)

    def supersede(self, older: Sequence[Ticket]) -> None:
        """Stand where the first of older waiters of our line stands, and tell each that it is void.

        Not by deleting: a waiter whose ticket is gone takes it for swept, and writes it again.

        Args:
            older: their tickets, first in line first, as just listed.

        Raises:
            StoreError: not all of them know; list and call again.
        """
        if older[0].arrival < self.claimant.arrival:
            self._arrival_text = older[0].arrival_text
            self.claimant = replace(self.claimant, arrival=older[0].arrival)
            # Else the place would be lost with us.
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
        """Return a place under a new lease id that keeps the old arrival."""
        successor = OwnTicket(self._lock, replace(self.claimant, lease=lease))
        successor._arrival_text = self._arrival_text
        successor._created_text = self._created_text
        return successor

    def delete(self) -> None:
        """Delete the ticket, if there may be one.

        Raises:
            StoreError: it may still be there; it dies by itself after 90 s.
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
        message = f"ticket {self.claimant.lease} changes while it is deleted"
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

    def _arrived(self, arrival_text: str, born_text: str) -> None:
        """Take note of the first version's times; later ones are those of a rewriting."""
        arrival, born = parse_timestamp(arrival_text), parse_timestamp(born_text)
        if arrival is not None and not self._arrival_text:
            self._arrival_text = arrival_text
            self.claimant = replace(self.claimant, arrival=arrival)
        if born is not None and not self._created_text:
            self._created_text = born_text
            self.claimant = replace(self.claimant, created=born)


def delete(lock: LockClient, lease: str, generation: int) -> None:
    """Delete one ticket of the lock's queue.

    Raises:
        StoreError: as `ObjectStore.delete`.
    """
    lock.store.delete(
        lock.paths.ticket(lease), generation=generation, timeout=lock.timing.write_timeout
    )


def delete_abandoned(lock: LockClient, dead: Iterable[Ticket], *, until: float) -> None:
    """Delete dead tickets, but only up to a moment of the boot clock.

    Raises:
        StoreError: the rest stays; it counts for nothing.
    """
    for ticket in itertools.islice(dead, MAX_ABANDONED_DELETED):
        if lock.clock.boottime() >= until:
            return
        delete(lock, ticket.lease, ticket.generation)
