"""A waiter's view of the queue: when to list it, and how long it has looked the same."""

import math
from collections.abc import Callable

from gcs_ci_lock.protocol.admission import MayClaim, MustWait, NeedsQueue
from gcs_ci_lock.protocol.queue import QueuePosition, is_abandoned
from gcs_ci_lock.protocol.record import Record, Ticket

LIST_EVERY = 30.0


class Lineup:
    """The tickets as last listed, and since when nothing has changed in front of the waiter."""

    def __init__(self, list_tickets: Callable[[], tuple[Ticket, ...]]) -> None:
        """Take the way to list the queue; no request is made.

        Args:
            list_tickets: lists the whole queue; may raise StoreError.
        """
        self._list = list_tickets
        self.tickets: tuple[Ticket, ...] | None = None
        self._listed_at = -math.inf
        self._listed_for: object = None
        self._watched: object = None
        self._watched_since = 0.0

    def invalidate(self) -> None:
        """List again before anything is decided."""
        self.tickets = None

    def is_stale(
        self, record: Record, decision: NeedsQueue | MustWait | MayClaim, boot: float
    ) -> bool:
        """Tell whether the decision needs a new listing.

        Args:
            record: as `protocol.transitions.drop_expired` returned it.
            decision: what followed from it and the tickets known.
            boot: the boot clock now.
        """
        if isinstance(decision, NeedsQueue):
            return True
        if decision.position is None:
            return False
        # Only tickets stand between us and the lock: nobody claims on an old list of them.
        only_tickets = decision.position.fits_holders and record.frozen is None
        return (
            only_tickets
            or self._listed_for != _fingerprint(record)
            or boot - self._listed_at >= LIST_EVERY
        )

    def refresh(self, record: Record, boot: float) -> tuple[Ticket, ...]:
        """List the queue, for this state of the record."""
        self.tickets = self._list()
        self._listed_at = boot
        self._listed_for = _fingerprint(record)
        return self.tickets

    def settle_time_left(
        self, position: QueuePosition, record: Record, *, looked_at: float, boot: float
    ) -> float:
        """Return the seconds that this queue and these holders must still be seen unchanged.

        Args:
            position: where we stand.
            record: as settled.
            looked_at: boot clock before the look that this is based on was begun.
            boot: boot clock now.
        """
        if position.settle_time in (0.0, math.inf):
            self._watched = None
            return position.settle_time
        seen = (tuple(t.lease for t in position.ahead), _fingerprint(record))
        if seen != self._watched:
            self._watched = seen
            self._watched_since = boot
        return max(position.settle_time - (looked_at - self._watched_since), 0.0)

    def abandoned_before(self, arrival: float, earliest: float) -> list[Ticket]:
        """Return the dead tickets that stood before a place in the queue, or just there."""
        return [t for t in self.tickets or () if is_abandoned(t, earliest) and t.arrival <= arrival]


def _fingerprint(record: Record) -> object:
    """Return what must change for the queue to be listed anew; a beat changes none of it."""
    return (tuple(h.lease for h in record.holders), record.freed_at, record.frozen)
