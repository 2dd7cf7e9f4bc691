"""The Python API: `with Lock("prod", bucket="gs://acme-locks").acquire() as lease`."""

import os
import threading
from dataclasses import replace
from typing import Self

from gcs_ci_lock.errors import LockError, NotAcquired
from gcs_ci_lock.keepalive.held import HeldLock
from gcs_ci_lock.keepalive.keeper import Keeper
from gcs_ci_lock.keepalive.thread import KeeperThread
from gcs_ci_lock.locking.acquisition import Acquisition
from gcs_ci_lock.locking.lease import Lost
from gcs_ci_lock.locking.outcome import Acquired, NotReleased, Obsolete, Released, Stopped
from gcs_ci_lock.locking.request import LockRequest, LockSettings
from gcs_ci_lock.platforms import current
from gcs_ci_lock.platforms.verifier import NoVerifier
from gcs_ci_lock.protocol.duration import parse_duration
from gcs_ci_lock.protocol.queue import DEFAULT_PRIORITY
from gcs_ci_lock.protocol.record import LossReason
from gcs_ci_lock.report.messages import lease_lost, obsolete_line, timeout_lines
from gcs_ci_lock.report.wait_log import WaitLog, print_lines
from gcs_ci_lock.wiring import connect


class Lock:
    """A lock in a bucket. It holds nothing itself: `acquire` returns the lease.

    Args:
        name: 1-8 segments of [a-z0-9._-]{1,64} joined by "/".
        bucket: BUCKET or gs://BUCKET/PREFIX.
        slots: how many jobs may hold the lock together (1 = exclusive), or "unlimited".
        ttl: how long the lease lasts after its last renewal, "30s" to "24h".
        max_hold: the lease is not renewed for longer than this.
        queue: "fifo", or "newest": older waiters of the same job end as superseded.
        priority: 0 to 9, higher first.
        sequence: a number that only grows; a job whose number is lower than one already granted
            is never granted the lock.
        reason: why the lock is held; waiters see it.
        endpoint: another storage endpoint; plain http only on loopback.

    Raises:
        UsageError: an argument is wrong.
    """

    def __init__(  # noqa: PLR0913 - what a user may set, each by its name
        self,
        name: str,
        *,
        bucket: str,
        slots: int | str = 1,
        ttl: str = "2m",
        max_hold: str = "6h",
        queue: str = "fifo",
        priority: int = DEFAULT_PRIORITY,
        sequence: int | None = None,
        reason: str = "",
        endpoint: str | None = None,
    ) -> None:
        self._endpoint = endpoint
        settings = LockSettings(
            names=[name],
            bucket=bucket,
            slots=str(slots),
            ttl=ttl,
            max_hold=max_hold,
            queue=queue,
            priority=str(priority),
            sequence="" if sequence is None else str(sequence),
        )
        owner = replace(current(os.environ).owner(os.environ), reason=reason)
        self._request: LockRequest = settings.requests(owner=owner)[0]

    def acquire(self, wait: str = "30m") -> "Lease":
        """Wait for the lock and return a lease that a thread renews until it is released.

        Args:
            wait: a duration such as "30m"; "0": do not wait.

        Raises:
            NotAcquired: it was not acquired in time, and the message names the holders; or a newer
                run has made this one obsolete.
            StorageUnreachable: the storage server does not answer.
            Denied: the credentials are missing or refused.
            UsageError: `wait` is wrong, or the record is not valid.
            LockError: anything else, such as a bucket that does not exist.
        """
        budget = parse_duration(wait, "wait")
        request = replace(self._request, wait=budget)
        connection = connect(
            request.paths.location.bucket, endpoint=self._endpoint, environ=os.environ
        )
        lock = connection.lock(request.paths, request.timing)
        progress = WaitLog(print_lines(_ignore), clock=connection.clock, on_claim=_ignore)
        outcome = Acquisition(
            lock,
            request,
            random=connection.random,
            stop=threading.Event(),
            observer=progress,
            verifier=NoVerifier(),
        ).run()
        match outcome:
            case Acquired():
                keeper = Keeper.of_new_lease(
                    lock, outcome.lease, random=connection.random, max_hold=request.max_hold
                )
                thread = KeeperThread(keeper)
                held = HeldLock(lock, request, outcome, thread, random=connection.random)
                held.start()
                return Lease(held)
            case Obsolete():
                raise NotAcquired(obsolete_line(self._request.paths.name, outcome))
            case Stopped():
                # Nothing sets the stop that was made above.
                raise NotAcquired
            case _:
                raise NotAcquired("\n".join(timeout_lines(outcome.status)))


class Lease:
    """A lock that this process holds, renewed by a thread of its own.

    Does not stop your work when it is lost: call `check` before each step that must not overlap,
    and give `token` to whatever can refuse a lower one.

    Args:
        held: the lock; `Lock.acquire` makes it.

    Attributes:
        name: the lock.
        id: the lease id.
        token: the fencing token.
        waited: seconds that the acquisition took.
    """

    def __init__(self, held: HeldLock) -> None:
        self._held = held
        self._released = False
        self.name = held.name
        self.id = held.acquired.lease.id
        self.token = held.acquired.lease.token
        self.waited = held.acquired.waited

    def believes_held(self) -> bool:
        """Return whether we may still believe that we hold the lock; makes no request."""
        return not self._released and self._held.lost() is None

    def check(self) -> None:
        """Do nothing while the lease holds; makes no request.

        Raises:
            LeaseLost: it does not hold any more, and why.
        """
        if self._released:
            message = f"token {self.token} was released"
            raise lease_lost(self.name, Lost(reason=LossReason.RELEASED, message=message))
        if (lost := self._held.lost()) is not None:
            raise lease_lost(self.name, lost)

    def release(self) -> None:
        """Stop renewing and release the lock; does nothing when called again.

        Raises:
            LeaseLost: the lease was lost before; another job may have run at the same time.
            LockError: the server does not answer; call again, or let the lease end by itself.
        """
        if self._released:
            return
        result = self._held.release()
        match result:
            case Released():
                self._released = True
            case Lost():
                self._released = True
                raise lease_lost(self.name, result)
            case NotReleased():
                raise result.error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Release the lock; an error of the block itself takes precedence."""
        try:
            self.release()
        except LockError:
            if kind is None:
                raise


def _ignore(_: object) -> None:
    return
