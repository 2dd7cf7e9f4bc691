"""Who renews a lease, and until when: a thread, a detached process, a container, or nothing."""

from typing import Protocol

from gcs_ci_lock.locking.lease import Lost


class KeepAlive(Protocol):
    """Whatever renews one lease.

    Four strategies: `thread.KeeperThread`, `detached.DetachedKeeper`, `sidecar.SidecarKeeper` and
    `no_keeper.NoKeeper`. Adding one is a module here, and a line in the front end that offers it.
    """

    def start(self) -> None:
        """Begin to renew, or begin again after `pause`.

        Raises:
            LockError: this strategy is not possible here.
        """
        ...

    def pause(self) -> None:
        """Stop renewing as far as a write of ours would meet one of this process.

        A container goes on: the record is released before its keeper is stopped.
        """
        ...

    def stop(self) -> None:
        """Stop renewing for good, after the lease has ended."""
        ...

    def lost(self) -> Lost | None:
        """Return the loss of the lease, as far as this process knows it without a request."""
        ...

    @property
    def is_stuck(self) -> bool:
        """Whether a renewal of this process is still in flight after `pause`."""
        ...
