"""Leaving a lock and its queue, also while the storage server hardly answers.

In model/lock.pml: nothing_left_behind.
"""

import itertools
from collections.abc import Callable, Iterable
from typing import TypeVar

from gcs_ci_lock.errors import Ambiguous, LockError, StorageUnreachable
from gcs_ci_lock.locking.client import Lock
from gcs_ci_lock.locking.own_ticket import Place, delete
from gcs_ci_lock.ports import Chance
from gcs_ci_lock.protocol.record import Ticket
from gcs_ci_lock.protocol.timing import backoff

CLEAN_UP = 10.0
MOST_SWEPT = 20

_T = TypeVar("_T")


def patiently(lock: Lock, chance: Chance, attempt: Callable[[], _T], *, patience: float) -> _T:
    """Return what an attempt returns, trying again while the server does not answer.

    Args:
        lock: whose clock counts.
        chance: for jitter.
        attempt: finds out by itself what an earlier one has done.
        patience: seconds.

    Raises:
        StorageUnreachable: no attempt was answered in that time.
        LockError: as the attempt.
    """
    until = lock.clock.boot() + patience
    for failures in itertools.count():
        try:
            return attempt()
        except Ambiguous as trouble:
            if lock.clock.boot() >= until:
                raise StorageUnreachable(str(trouble)) from trouble
            lock.clock.sleep(backoff(failures, chance.fraction()))
    raise AssertionError


def depart(lock: Lock, place: Place, *, stray: bool, chance: Chance) -> bool:
    """Leave neither a ticket nor a claim behind, as far as the server lets us; tell whether so.

    Args:
        lock: the lock.
        place: our own.
        stray: whether a claim of ours may be in the record, or come to be.
        chance: for jitter.
    """
    lease = place.claimant.lease
    steps: list[Callable[[], object]] = [place.leave]
    if stray:
        steps.insert(0, lambda: lock.disown(lease))
    clean = True
    for step in steps:
        try:
            patiently(lock, chance, step, patience=CLEAN_UP)
        except LockError:
            # A ticket dies by itself, and so does a claim that nobody renews.
            clean = False
    return clean


def sweep(lock: Lock, dead: Iterable[Ticket], *, until: float) -> None:
    """Delete dead tickets, but only up to a moment of the boot clock.

    Raises:
        StoreError: the rest stays; it counts for nothing.
    """
    for ticket in itertools.islice(dead, MOST_SWEPT):
        if lock.clock.boot() >= until:
            return
        delete(lock, ticket.lease, ticket.generation)
