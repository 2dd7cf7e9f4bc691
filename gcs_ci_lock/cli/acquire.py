"""What the commands have in common: connecting, waiting, and telling how it went."""

import os
from collections.abc import Callable
from dataclasses import replace

from gcs_ci_lock.cli.options import Asking
from gcs_ci_lock.cli.progress import showing
from gcs_ci_lock.errors import LockError, NotAcquired, UsageError
from gcs_ci_lock.keepalive.handed import release
from gcs_ci_lock.keepalive.held import Held
from gcs_ci_lock.keepalive.lease_ref import Handover
from gcs_ci_lock.locking.acquisition import Waiter
from gcs_ci_lock.locking.client import Lock
from gcs_ci_lock.locking.outcome import Acquired, Overtaken, Stopped, TimedOut
from gcs_ci_lock.locking.request import LockRequest
from gcs_ci_lock.locking.settings import Wanted
from gcs_ci_lock.platforms.detect import detect_owner
from gcs_ci_lock.platforms.verifier import NoVerifier
from gcs_ci_lock.platforms.verifiers import verifier_of
from gcs_ci_lock.ports import Stop, Verifier
from gcs_ci_lock.protocol.text import MAX_FOREIGN
from gcs_ci_lock.protocol.timing import spoken
from gcs_ci_lock.report.messages import acquired_line, overtaken_line, timeout_lines, took_over_line
from gcs_ci_lock.system.clock import SystemClock
from gcs_ci_lock.system.console import say
from gcs_ci_lock.wiring import Connection, connect, pin


def requests_of(asking: Asking) -> tuple[LockRequest, ...]:
    """Return what is asked for, in the order in which the locks are to be taken.

    Raises:
        UsageError: an option is wrong.
    """
    wanted = Wanted(
        names=asking.names,
        bucket=asking.bucket,
        slots=asking.slots,
        wait=asking.wait,
        ttl=asking.ttl,
        max_hold=asking.max_hold,
        queue=asking.queue,
        priority=asking.priority,
        sequence=asking.sequence,
    )
    if len(asking.identity) > MAX_FOREIGN:
        message = (
            f"--identity has {len(asking.identity)} characters: expected {MAX_FOREIGN} at most"
        )
        raise UsageError(message)
    owner = detect_owner(os.environ)
    return wanted.requests(
        owner=replace(owner, reason=asking.reason, identity=asking.identity.strip())
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
    asking: Asking,
    request: LockRequest,
    stop: Stop,
    *,
    verifier: Verifier,
    kept_by: str,
    announce: Callable[[Handover], None],
) -> Held | Stopped:
    """Wait for a lock and tell people how it goes.

    Args:
        asking: the options.
        request: the lock.
        stop: ends the wait.
        verifier: is asked whether a holder is dead.
        kept_by: who renews the lease, for people.
        announce: is given the lease before it is claimed, with token 0, and when it is granted.

    Raises:
        NotAcquired: it was not to be had in time, and who has it; or a newer run has come.
        LockError: whatever else went wrong.
    """
    connection = open_bucket(request.paths.location.bucket, asking.endpoint, verbose=asking.verbose)
    lock = connection.lock(request.paths, request.timing)

    def handover(lease: str) -> Handover:
        return Handover.asked(request, lease, endpoint=asking.endpoint, keeper="process")

    with showing(
        lambda lease: announce(handover(lease)),
        clock=connection.clock,
        lines_between=asking.verbose,
    ) as observer:
        waiter = Waiter(
            lock,
            request,
            chance=connection.chance,
            stop=stop,
            observer=observer,
            verifier=verifier,
        )
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
            _tell_acquired(request, outcome, kept_by)
            return Held(lock, request, outcome, chance=connection.chance)
        case Overtaken():
            raise NotAcquired(overtaken_line(request.paths.name, outcome))
        case TimedOut():
            raise NotAcquired("\n".join(timeout_lines(outcome.situation)))
        case Stopped():
            say(f'Stopped waiting for lock "{request.paths.name}"')
            return outcome


def _tell_acquired(request: LockRequest, acquired: Acquired, kept_by: str) -> None:
    beat = spoken(request.timing.beat or 0.0)
    how = f"renewed every {beat} by {kept_by}"
    say(acquired_line(request.paths.name, acquired.waited, acquired.tenure.token, how))
    for ended in acquired.took_over:
        say(took_over_line(ended))


def verifier_for(asking: Asking) -> Verifier:
    """Return who is asked whether a holder's job is over; one for all locks of a command."""
    if not asking.verify_holder:
        return NoVerifier()
    return verifier_of(os.environ, github_token="", clock=SystemClock())
