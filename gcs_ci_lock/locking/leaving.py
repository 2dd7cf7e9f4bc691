"""Leaving a lock and its queue, also while the storage server hardly answers.

In model/lock.pml: nothing_left_behind.
"""

import itertools
from collections.abc import Callable, Iterable
from typing import TypeVar

from gcs_ci_lock.errors import LockError, OutcomeUnknown, StorageUnreachable
from gcs_ci_lock.locking.client import LockClient
from gcs_ci_lock.locking.own_ticket import OwnTicket, delete
from gcs_ci_lock.ports import Random
from gcs_ci_lock.protocol.record import Ticket
from gcs_ci_lock.protocol.timing import backoff

CLEAN_UP = 10.0
MOST_SWEPT = 20

_T = TypeVar("_T")


def retry(lock: LockClient, random: Random, attempt: Callable[[], _T], *, patience: float) -> _T:
    """Return what an attempt returns, trying again while the server does not answer.

    Args:
        lock: whose clock counts.
        random: for jitter.
        attempt: finds out by itself what an earlier one has done.
        patience: seconds.

    Raises:
        StorageUnreachable: no attempt was answered in that time.
        LockError: as the attempt.
    """
    until = lock.clock.boottime() + patience
    for failures in itertools.count():
        try:
            return attempt()
        except OutcomeUnknown as trouble:
            if lock.clock.boottime() >= until:
                raise StorageUnreachable(str(trouble)) from trouble
            lock.clock.sleep(backoff(failures, random.fraction()))
    raise AssertionError


def withdraw(lock: LockClient, ticket: OwnTicket, *, stray: bool, random: Random) -> bool:
    """Leave neither a ticket nor a claim behind, as far as the server lets us; tell whether so.

    Args:
        lock: the lock.
        ticket: our own.
        stray: whether a claim of ours may be in the record, or come to be.
        random: for jitter.
    """
    lease = ticket.claimant.lease
    steps: list[Callable[[], object]] = [ticket.delete]
    if stray:
        steps.insert(0, lambda: lock.void_claim(lease))
    clean = True
    for step in steps:
        try:
            retry(lock, random, step, patience=CLEAN_UP)
        except LockError:
            # A ticket dies by itself, and so does a claim that nobody renews.
            clean = False
    return clean


def delete_abandoned(lock: LockClient, dead: Iterable[Ticket], *, until: float) -> None:
    """Delete dead tickets, but only up to a moment of the boot clock.

    Raises:
        StoreError: the rest stays; it counts for nothing.
    """
    for ticket in itertools.islice(dead, MOST_SWEPT):
        if lock.clock.boottime() >= until:
            return
        delete(lock, ticket.lease, ticket.generation)
