"""The Python interface: `with Lock("prod", bucket="gs://acme-locks").acquire() as lease`."""

import os
import threading
from dataclasses import replace
from types import TracebackType
from typing import Self

from gcs_ci_lock.errors import LockError, NotAcquired, StorageUnreachable
from gcs_ci_lock.keepalive.keeper import Keeper
from gcs_ci_lock.keepalive.thread import KeeperThread
from gcs_ci_lock.locking.acquisition import Acquisition
from gcs_ci_lock.locking.client import LockClient as OneLock
from gcs_ci_lock.locking.lease import Lost, removed_from_record
from gcs_ci_lock.locking.outcome import Acquired, Obsolete, Stopped
from gcs_ci_lock.locking.request import LockRequest, LockSettings
from gcs_ci_lock.locking.retry import release
from gcs_ci_lock.platforms.detect import detect_owner
from gcs_ci_lock.platforms.verifier import NoVerifier
from gcs_ci_lock.ports import Random
from gcs_ci_lock.protocol.duration import parse_duration
from gcs_ci_lock.protocol.queue import DEFAULT_PRIORITY
from gcs_ci_lock.protocol.transitions import NotHeld
from gcs_ci_lock.report.messages import lease_lost, obsolete_line, timeout_lines
from gcs_ci_lock.report.wait_log import WaitLog, print_lines
from gcs_ci_lock.wiring import Connection, connect


class Lock:
    """A lock in a bucket. It holds nothing itself: `acquire` returns what does."""

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
        """Check the settings; no request is made.

        Args:
            name: 1-8 segments of [a-z0-9._-]{1,64} joined by "/".
            bucket: BUCKET or gs://BUCKET/PREFIX.
            slots: holders tolerated in total, this one included, or "unlimited".
            ttl: how long the lease lasts after its last renewal, "30s" to "24h".
            max_hold: after this long the lease is renewed no more.
            queue: "fifo", or "newest": older waiters of the same job become void.
            priority: 0 to 9, higher first.
            sequence: a rising number of this job; one lower than one that was granted never enters.
            reason: shown to those who wait.
            endpoint: another storage endpoint; plain http only on loopback.

        Raises:
            UsageError: one of them is wrong.
        """
        self._endpoint = endpoint
        wanted = LockSettings(
            names=[name],
            bucket=bucket,
            slots=str(slots),
            ttl=ttl,
            max_hold=max_hold,
            queue=queue,
            priority=str(priority),
            sequence="" if sequence is None else str(sequence),
        )
        owner = replace(detect_owner(os.environ), reason=reason)
        self._request: LockRequest = wanted.requests(owner=owner)[0]

    def acquire(self, wait: str = "30m") -> "Lease":
        """Wait for the lock and return a lease that a thread renews until it is released.

        Args:
            wait: a duration such as "30m"; "0": one try.

        Raises:
            NotAcquired: it was not to be had in time; the message names who has it. Or a newer run
                has made this one void.
            StorageUnreachable: the storage server does not answer.
            Denied: it refuses the credentials.
            UsageError: `wait` is wrong, the bucket is missing, the record is none.
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
                return Lease(connection, lock, request, outcome)
            case Obsolete():
                raise NotAcquired(obsolete_line(self._request.paths.name, outcome))
            case Stopped():
                # Nobody sets the stop that was made above.
                raise NotAcquired
            case _:
                raise NotAcquired("\n".join(timeout_lines(outcome.status)))


class Lease:
    """A lock that this process holds, renewed by a thread of its own.

    Does not stop your work when it is lost: call `check` before each step that must not overlap,
    and give `token` to whatever can refuse a lower one.
    """

    def __init__(
        self, connection: Connection, lock: OneLock, request: LockRequest, acquired: Acquired
    ) -> None:
        """Start renewing; made by `Lock.acquire`."""
        self._lock = lock
        self._random: Random = connection.random
        self.name = request.paths.name
        self.id = acquired.lease.id
        self.token = acquired.lease.token
        self.waited = acquired.waited
        self._keeper = Keeper(
            lock,
            acquired.lease,
            random=connection.random,
            max_hold=request.max_hold,
            began=acquired.lease.sent_at,
        )
        self._released = False
        self._thread = KeeperThread(self._keeper)
        self._thread.start()

    def believes_held(self) -> bool:
        """Tell whether we may still believe that we hold the lock; no request is made."""
        return not self._released and self._keeper.lost() is None

    def check(self) -> None:
        """Do nothing while the lease holds; no request is made.

        Raises:
            LeaseLost: it does not, and why.
        """
        if self._released:
            raise lease_lost(self.name, Lost(reason=f"token {self.token} was released"))
        if (lost := self._keeper.lost()) is not None:
            raise lease_lost(self.name, lost)

    def release(self) -> None:
        """Stop renewing and give the lock back; nobody else's, and once only.

        Raises:
            LeaseLost: it was not ours any more; another may have worked beside us.
            LockError: the server does not answer; call again, or let the lease end by itself.
        """
        if self._released:
            return
        self._thread.stop()
        if self._thread.is_stuck:
            message = f'lock "{self.name}" was not released: a renewal hangs'
            raise StorageUnreachable(message)
        result = release(self._lock, self.id, random=self._random)
        self._released = True
        if isinstance(result, NotHeld):
            raise lease_lost(self.name, removed_from_record(self.token, result))

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Release it; an error of the block itself goes first."""
        try:
            self.release()
        except LockError:
            if kind is None:
                raise


def _ignore(_: object) -> None:
    return
