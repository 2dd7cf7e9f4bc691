"""A keeper at work in a thread of its own: a loss is told in time even if a renewal hangs."""

import threading
from types import TracebackType
from typing import Self

from gcs_ci_lock.keepalive.keeper import Keeper
from gcs_ci_lock.locking.lease import Lost
from gcs_ci_lock.ports import Stop

# A held lock is looked after at least this often.
LOOK_EVERY = 0.5
# A renewal in flight ends by its time limit, and so much later at the latest.
STUCK_AFTER = 2.0


class KeeperThread:
    """Renews a lease between `start` and `stop`, or as a context manager."""

    def __init__(self, keeper: Keeper, *, renew_now: bool = False) -> None:
        """Take a keeper; it does not run yet.

        Args:
            keeper: nobody else may use its lock meanwhile.
            renew_now: whether the first renewal is due now.
        """
        self.keeper = keeper
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=keeper.run,
            args=(self._stop,),
            kwargs={"renew_now": renew_now},
            name="keeper",
            daemon=True,
        )

    def start(self) -> None:
        """Begin renewing."""
        self._thread.start()

    def stop(self) -> None:
        """Renew no more; returns when no renewal is in flight, or it `hangs`."""
        self._stop.set()
        # Unless a server drips.
        self._thread.join(self.keeper.lock.timing.write_timeout + STUCK_AFTER)

    @property
    def is_stuck(self) -> bool:
        """Tell whether a renewal is in flight: two writes of one lease never are together."""
        return self._thread.is_alive()

    def wait(self, stop: Stop) -> Lost | None:
        """Wait for the stop or the loss, whichever is first; tell whether the lease is lost."""
        while not stop.wait(LOOK_EVERY):
            if (lost := self.keeper.lost()) is not None:
                return lost
        return self.keeper.lost()

    def __enter__(self) -> Self:
        """Begin renewing."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Renew no more."""
        self.stop()
