"""Tells people how a wait goes on: at once, on every change, and else once a minute."""

from collections.abc import Callable, Sequence

from gcs_ci_lock.ports import Clock
from gcs_ci_lock.protocol.wait_status import Situation
from gcs_ci_lock.report.messages import waiting_lines, waiting_title

REPEAT_EVERY = 60.0

# Prints lines; where the log can fold them away, only the title before them is seen at first.
Show = Callable[[str, Sequence[str]], None]


def plainly(say: Callable[[str], object]) -> Show:
    """Return what prints lines one by one, without their title: they say it all.

    Args:
        say: prints one line.
    """

    def show(_title: str, lines: Sequence[str]) -> None:
        for line in lines:
            say(line)

    return show


class Progress:
    """An observer of a wait that prints."""

    def __init__(self, show: Show, *, clock: Clock, asking: Callable[[str], None]) -> None:
        """Print nothing yet.

        Args:
            show: prints one message.
            clock: for the repetition.
            asking: is given the lease id before it is claimed.
        """
        self._show = show
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
        self._show(waiting_title(situation), waiting_lines(situation))


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
