"""How long to retry while the storage server does not answer."""

import itertools
from collections.abc import Callable
from typing import Final, TypeVar

from gcs_ci_lock.errors import OutcomeUnknown, StorageUnreachable
from gcs_ci_lock.locking.client import LockClient
from gcs_ci_lock.locking.lease import Lost
from gcs_ci_lock.locking.outcome import Released
from gcs_ci_lock.ports import Clock, Random
from gcs_ci_lock.protocol.timing import backoff
from gcs_ci_lock.protocol.transitions import NotHeld

# An outage of fewer seconds is always tolerated.
MIN_OUTAGE: Final = 10.0
# A server that has not answered once within so many seconds is probably a wrong address.
MAX_FIRST_OUTAGE: Final = 60.0
# Seconds for one whole operation outside of a wait, such as a release.
RETRY_WITHIN: Final = 20.0
# Seconds for one deletion of what a waiter leaves behind.
CLEAN_UP_WITHIN: Final = 10.0

_T = TypeVar("_T")


class OutageTimer:
    """How long the server has not answered one waiter, and how long that is tolerated.

    Args:
        clock: its boot time counts.
        random: jitter.
        budget: seconds that the waiter waits at most.
    """

    def __init__(self, clock: Clock, random: Random, *, budget: float) -> None:
        self._clock = clock
        self._random = random
        self._budget = budget
        self._began = clock.boottime()
        self._answered_at: float | None = None
        self._failures = 0

    def reset(self) -> None:
        """Note that a whole step succeeded: a server that only answers reads is still in outage."""
        self._answered_at = self._clock.boottime()
        self._failures = 0

    def next_pause(self, trouble: OutcomeUnknown) -> float:
        """Return the seconds to wait before the next attempt.

        Args:
            trouble: why the last attempt failed.

        Raises:
            StorageUnreachable: the outage has lasted too long.
        """
        left = self._left()
        # A single lost response may be that of a claim: read once more before giving up.
        if left <= 0 and self._failures:
            raise StorageUnreachable(str(trouble)) from trouble
        pause = min(backoff(self._failures, self._random.fraction()), max(left, 0.0))
        self._failures += 1
        return pause

    def _left(self) -> float:
        now = self._clock.boottime()
        waited = now - self._began
        if self._answered_at is None:
            return min(max(self._budget, MIN_OUTAGE), MAX_FIRST_OUTAGE) - waited
        return max(MIN_OUTAGE - (now - self._answered_at), self._budget - waited)


def retry(
    lock: LockClient, random: Random, attempt: Callable[[], _T], *, within: float = RETRY_WITHIN
) -> _T:
    """Return the result of an attempt; repeat it while the server does not answer.

    Args:
        lock: its clock counts.
        random: jitter.
        attempt: must find out by itself what an earlier attempt has done.
        within: seconds.

    Raises:
        StorageUnreachable: no attempt was answered in that time.
        LockError: as raised by the attempt.
    """
    until = lock.clock.boottime() + within
    for failures in itertools.count():
        try:
            return attempt()
        except OutcomeUnknown as trouble:
            if lock.clock.boottime() >= until:
                raise StorageUnreachable(str(trouble)) from trouble
            lock.clock.sleep(backoff(failures, random.fraction()))
    raise AssertionError


def release(
    lock: LockClient, lease: str, *, random: Random, loss: Lost | None = None
) -> Released | NotHeld:
    """Release a lease; repeat while the server does not answer (step E3).

    Args:
        lock: the lock.
        lease: the lease id.
        random: jitter.
        loss: how it was lost before this release, for the history; None: it was not.

    Raises:
        StorageUnreachable: no answer came; the lease ends by itself.
        LockError: as raised by `LockClient.release`.
    """
    return retry(lock, random, lambda: lock.release(lease, loss=loss))
