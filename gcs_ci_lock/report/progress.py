"""Tells people how a wait goes on: at once, on every change, and else once a minute."""

from collections.abc import Callable

from gcs_ci_lock.core.situation import Situation
from gcs_ci_lock.ports import Clock
from gcs_ci_lock.report.lines import waiting_lines

REPEAT_EVERY = 60.0


class Progress:
    """An observer of a wait that prints."""

    def __init__(
        self, say: Callable[[str], None], *, clock: Clock, asking: Callable[[str], None]
    ) -> None:
        """Print nothing yet.

        Args:
            say: prints one line.
            clock: for the repetition.
            asking: is given the lease id before it is claimed.
        """
        self._say = say
        self._clock = clock
        self._asking = asking
        self._told: object = None
        self._told_at = 0.0

    def asking(self, lease: str) -> None:
        """Hand the lease id on."""
        self._asking(lease)

    def waiting(self, situation: Situation) -> None:
        """Print the situation if it has changed, or has not been told for a minute."""
        if situation.budget <= 0:
            # One try: the refusal says all of it.
            return
        boot = self._clock.boot()
        news = _news(situation)
        if news == self._told and boot - self._told_at < REPEAT_EVERY:
            return
        self._told = news
        self._told_at = boot
        for line in waiting_lines(situation):
            self._say(line)


def _news(situation: Situation) -> object:
    """Return what is worth a new message; a beat is not."""
    record = situation.record
    return (
        tuple(h.lease for h in record.holders),
        record.frozen,
        situation.turn.place if situation.turn else None,
        situation.waiters,
        bool(situation.trouble),
    )
