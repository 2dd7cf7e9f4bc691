"""Strategy 1: a thread of this process renews the lease."""

import threading
from typing import Final, Self

from gcs_ci_lock.keepalive.keeper import Keeper
from gcs_ci_lock.locking.lease import Lost
from gcs_ci_lock.ports import Stop

# Seconds between two checks of a lease that is held.
LOOK_EVERY: Final = 0.5
# A renewal in flight ends by its time limit, or so many seconds later if the server is slow.
STUCK_AFTER: Final = 2.0


class KeeperThread:
    """A `KeepAlive` in a thread: a loss is reported in time even if a renewal hangs.

    Also a context manager.

    Args:
        keeper: renews the lease; no other thread may use its lock meanwhile.
        renew_now: whether the first renewal is due immediately.
    """

    def __init__(self, keeper: Keeper, *, renew_now: bool = False) -> None:
        self._keeper = keeper
        self._renew_now = renew_now
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to renew, or begin again after `pause`."""
        self._stop = threading.Event()
        args = (self._stop, self._thread)
        self._thread = threading.Thread(target=self._run, args=args, name="keeper", daemon=True)
        self._thread.start()

    def pause(self) -> None:
        """Stop renewing; returns when no renewal is in flight, or when one `is_stuck`."""
        if self._thread is not None and not self._stop.is_set():
            self._stop.set()
            self._thread.join(self._keeper.lock.timing.write_timeout + STUCK_AFTER)

    def stop(self) -> None:
        """Stop renewing for good."""
        self.pause()

    def lost(self) -> Lost | None:
        """Return the loss of the lease by now, or None."""
        return self._keeper.lost()

    @property
    def is_stuck(self) -> bool:
        """Whether a renewal is in flight: two writes of one lease must never be in flight."""
        return self._thread is not None and self._thread.is_alive()

    def wait(self, stop: Stop) -> Lost | None:
        """Wait for the stop or the loss, whichever comes first; return the loss, or None."""
        while not stop.wait(LOOK_EVERY):
            if (lost := self.lost()) is not None:
                return lost
        return self.lost()

    def _run(self, stop: threading.Event, before: threading.Thread | None) -> None:
        if before is not None:
            # Two writes of one lease must never be in flight together.
            before.join()
        self._keeper.run(stop, renew_now=self._renew_now)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
