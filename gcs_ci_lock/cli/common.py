"""What the commands have in common: connecting, waiting, and telling how it went."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace

from gcs_ci_lock.ci.detect import detect_owner
from gcs_ci_lock.cli.options import Asking
from gcs_ci_lock.cli.showing import showing
from gcs_ci_lock.core.handover import Handover
from gcs_ci_lock.core.outcome import Acquired, Stopped, TimedOut
from gcs_ci_lock.core.request import LockRequest
from gcs_ci_lock.core.settings import lock_request
from gcs_ci_lock.core.timing import spoken
from gcs_ci_lock.errors import LockError, NotAcquired
from gcs_ci_lock.handed import release
from gcs_ci_lock.keeper import Keeper
from gcs_ci_lock.lock import Lock
from gcs_ci_lock.output import say
from gcs_ci_lock.ports import Stop
from gcs_ci_lock.report.lines import acquired_line, timeout_lines
from gcs_ci_lock.waiting import Waiter
from gcs_ci_lock.wiring import Connection, connect, pin


@dataclass(slots=True, kw_only=True)
class Held:
    """A lock that this process has acquired.

    Attributes:
        renewing: a renewal is in flight and does not end.
    """

    connection: Connection
    lock: Lock
    request: LockRequest
    acquired: Acquired
    renewing: bool = False

    def keeper(self) -> Keeper:
        """Return the keeper of the lease; it does not run yet."""
        return Keeper(
            self.lock,
            self.acquired.tenure,
            chance=self.connection.chance,
            max_hold=self.request.max_hold,
            began=self.acquired.tenure.sent_at,
        )


def request_of(asking: Asking) -> LockRequest:
    """Return what is asked for.

    Raises:
        UsageError: an option is wrong.
    """
    return lock_request(
        name=asking.name,
        bucket=asking.bucket,
        slots=asking.slots,
        wait=asking.wait,
        ttl=asking.ttl,
        max_hold=asking.max_hold,
        owner=replace(detect_owner(os.environ), reason=asking.reason),
    )


def open_bucket(bucket: str, endpoint: str, *, verbose: bool) -> Connection:
    """Return a connection to a bucket.

    Raises:
        UsageError: the endpoint cannot be used.
        Denied: there are no credentials.
    """
    provider = os.environ.get("GCS_CI_LOCK_WORKLOAD_IDENTITY_PROVIDER", "")
    pinned = (
        pin(
            os.environ,
            endpoint=endpoint,
            provider=provider,
            service_account=os.environ.get("GCS_CI_LOCK_SERVICE_ACCOUNT", ""),
            id_token=os.environ.get("GCS_CI_LOCK_ID_TOKEN", ""),
        )
        if provider
        else None
    )
    return connect(
        bucket,
        endpoint=endpoint or None,
        environ=os.environ,
        pinned=pinned,
        log=say if verbose else None,
    )


def open_lock(handover: Handover, *, verbose: bool) -> tuple[Connection, Lock]:
    """Return the lock of a lease that another process acquired."""
    connection = open_bucket(handover.paths.location.bucket, handover.endpoint, verbose=verbose)
    return connection, connection.lock(handover.paths, handover.timing)


def acquire(
    asking: Asking, stop: Stop, *, kept_by: str, announce: Callable[[Handover], None]
) -> Held | Stopped:
    """Wait for a lock and tell people how it goes.

    Args:
        asking: the options.
        stop: ends the wait.
        kept_by: who renews the lease, for people.
        announce: is given the lease before it is claimed, with token 0, and when it is granted.

    Raises:
        NotAcquired: it was not to be had in time; the message names who has it.
        LockError: whatever else went wrong.
    """
    request = request_of(asking)
    connection = open_bucket(request.paths.location.bucket, asking.endpoint, verbose=asking.verbose)
    lock = connection.lock(request.paths, request.timing)

    def handover(lease: str) -> Handover:
        return Handover.asked(request, lease, endpoint=asking.endpoint, keeper="process")

    with showing(
        lambda lease: announce(handover(lease)),
        clock=connection.clock,
        lines_between=asking.verbose,
    ) as observer:
        waiter = Waiter(lock, request, chance=connection.chance, stop=stop, observer=observer)
        outcome = waiter.run()
    match outcome:
        case Acquired():
            tenure = outcome.tenure
            try:
                announce(handover(tenure.lease).granted(tenure, waited=outcome.waited))
            except LockError:
                # Nobody would know of the lease.
                release(lock, tenure.lease, chance=connection.chance)
                raise
            beat = spoken(request.timing.beat or 0.0)
            how = f"renewed every {beat} by {kept_by}"
            say(acquired_line(request.paths.name, outcome.waited, tenure.token, how))
            return Held(connection=connection, lock=lock, request=request, acquired=outcome)
        case TimedOut():
            raise NotAcquired("\n".join(timeout_lines(outcome.situation)))
        case Stopped():
            say(f'Stopped waiting for lock "{request.paths.name}"')
            return outcome
