"""Strategy 4: nothing renews the lease; it lasts as long as max-hold needs."""

from gcs_ci_lock.keepalive.keeper import Keeper
from gcs_ci_lock.locking.lease import Lost


class NoKeeper:
    """A `KeepAlive` that only watches the deadline.

    Args:
        keeper: knows the lease's deadline; it is never run.
    """

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper

    def start(self) -> None:
        """Do nothing."""

    def pause(self) -> None:
        """Do nothing."""

    def stop(self) -> None:
        """Do nothing."""

    def lost(self) -> Lost | None:
        """Return the loss once the deadline or max-hold is over."""
        return self._keeper.lost()

    @property
    def is_stuck(self) -> bool:
        """False: nothing is ever in flight."""
        return False
