"""How long a waiter goes on asking a storage server that does not answer."""

from collections.abc import Callable

from gcs_ci_lock.errors import OutcomeUnknown, StorageUnreachable
from gcs_ci_lock.ports import Clock, Random
from gcs_ci_lock.protocol.timing import backoff

# A server that has not answered once for so long is a wrong address rather than a hiccup.
LEAST_PATIENCE = 10.0
MOST_PATIENCE = 60.0


class OutageTimer:
    """Since when the server has been silent, as one waiter sees it."""

    def __init__(self, clock: Clock, random: Random, *, budget: float) -> None:
        """Begin at the waiter's beginning.

        Args:
            clock: whose boot time counts.
            random: for jitter.
            budget: seconds that the waiter is ready to wait.
        """
        self._clock = clock
        self._random = random
        self._budget = budget
        self._began = clock.boottime()
        self._answered_at: float | None = None
        self._failures = 0

    def reset(self) -> None:
        """Take note of a whole step: a server that only answers reads is as good as silent."""
        self._answered_at = self._clock.boottime()
        self._failures = 0

    def next_pause(self, trouble: OutcomeUnknown, give_up: Callable[[], object]) -> float:
        """Return the seconds to wait before the server is asked again.

        Args:
            trouble: what happened just now.
            give_up: done before it is given up.

        Raises:
            StorageUnreachable: it has been silent for too long.
        """
        left = self._left()
        # One answer alone that did not come may be that of a claim: look once more.
        if left <= 0 and self._failures:
            give_up()
            raise StorageUnreachable(str(trouble)) from trouble
        pause = min(backoff(self._failures, self._random.fraction()), max(left, 0.0))
        self._failures += 1
        return pause

    def _left(self) -> float:
        now = self._clock.boottime()
        waited = now - self._began
        if self._answered_at is None:
            return min(max(self._budget, LEAST_PATIENCE), MOST_PATIENCE) - waited
        return max(LEAST_PATIENCE - (now - self._answered_at), self._budget - waited)
