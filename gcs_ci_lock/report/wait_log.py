"""An observer that prints a wait: at once, on every change, and otherwise once a minute."""

from collections.abc import Callable, Sequence

from gcs_ci_lock.ports import Clock, Show
from gcs_ci_lock.protocol.wait_status import WaitStatus
from gcs_ci_lock.report.messages import wait_lines, wait_title

REPEAT_EVERY = 60.0


def print_lines(write: Callable[[str], object]) -> Show:
    """Return a `Show` that prints the lines without the title, which only repeats them.

    Args:
        write: prints one line.
    """

    def show(_title: str, lines: Sequence[str]) -> None:
        for line in lines:
            write(line)

    return show


class WaitLog:
    """A `WaitObserver` that prints.

    Args:
        show: prints one message.
        clock: times the repetition.
        on_claim: gets the lease id before the lock is claimed.
    """

    def __init__(self, show: Show, *, clock: Clock, on_claim: Callable[[str], None]) -> None:
        self._show = show
        self._clock = clock
        self._on_claim = on_claim
        self._printed: object = None
        self._printed_at = 0.0

    def on_claim(self, lease: str) -> None:
        """Pass the lease id on."""
        self._on_claim(lease)

    def on_wait(self, status: WaitStatus) -> None:
        """Print the status if it has changed, or was printed more than a minute ago."""
        if status.budget <= 0:
            # Nothing is waited for: the timeout error says it all.
            return
        now = self._clock.boottime()
        content = _content(status)
        if content == self._printed and now - self._printed_at < REPEAT_EVERY:
            return
        self._printed = content
        self._printed_at = now
        self._show(wait_title(status), wait_lines(status))


def _content(status: WaitStatus) -> object:
    """Return what is worth a new message when it changes; a renewal is not."""
    record = status.record
    return (
        tuple(h.lease for h in record.holders),
        record.frozen,
        status.position.rank if status.position else None,
        status.waiters,
        bool(status.trouble),
    )
