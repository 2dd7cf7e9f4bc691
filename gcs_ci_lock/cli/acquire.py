"""What the commands have in common: connecting, waiting, and telling how it went."""

import os
from collections.abc import Callable
from dataclasses import replace

from gcs_ci_lock.cli.options import AcquireOptions
from gcs_ci_lock.cli.progress import wait_observer
from gcs_ci_lock.errors import LockError, NotAcquired, UsageError
from gcs_ci_lock.keepalive.held import HeldLock
from gcs_ci_lock.keepalive.lease_ref import LeaseRef
from gcs_ci_lock.locking.acquisition import Acquisition
from gcs_ci_lock.locking.client import LockClient
from gcs_ci_lock.locking.outcome import Acquired, Obsolete, Stopped, TimedOut
from gcs_ci_lock.locking.request import LockRequest, LockSettings
from gcs_ci_lock.locking.retry import release
from gcs_ci_lock.platforms.detect import detect_owner
from gcs_ci_lock.platforms.verifier import NoVerifier
from gcs_ci_lock.platforms.verifiers import verifier_of
from gcs_ci_lock.ports import Stop, Verifier
from gcs_ci_lock.protocol.duration import format_duration
from gcs_ci_lock.protocol.text import MAX_FOREIGN
from gcs_ci_lock.report.messages import acquired_line, obsolete_line, timeout_lines, took_over_line
from gcs_ci_lock.system.clock import SystemClock
from gcs_ci_lock.system.console import print_err
from gcs_ci_lock.wiring import Connection, connect, resolve_credentials


def requests_of(options: AcquireOptions) -> tuple[LockRequest, ...]:
    """Return what is asked for, in the order in which the locks are to be taken.

    Raises:
        UsageError: an option is wrong.
    """
    wanted = LockSettings(
        names=options.names,
        bucket=options.bucket,
        slots=options.slots,
        wait=options.wait,
        ttl=options.ttl,
        max_hold=options.max_hold,
        queue=options.queue,
        priority=options.priority,
        sequence=options.sequence,
    )
    if len(options.identity) > MAX_FOREIGN:
        message = (
            f"--identity has {len(options.identity)} characters: expected {MAX_FOREIGN} at most"
        )
        raise UsageError(message)
    owner = detect_owner(os.environ)
    return wanted.requests(
        owner=replace(owner, reason=options.reason, identity=options.identity.strip())
    )


def open_bucket(bucket: str, endpoint: str, *, verbose: bool) -> Connection:
    """Return a connection to a bucket.

    Raises:
        UsageError: the endpoint cannot be used.
        Denied: there are no credentials.
    """
    provider = os.environ.get("GCS_CI_LOCK_WORKLOAD_IDENTITY_PROVIDER", "")
    pinned = (
        resolve_credentials(
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
        log=print_err if verbose else None,
    )


def open_lock(lease_ref: LeaseRef, *, verbose: bool) -> tuple[Connection, LockClient]:
    """Return the lock of a lease that another process acquired."""
    connection = open_bucket(lease_ref.paths.location.bucket, lease_ref.endpoint, verbose=verbose)
    return connection, connection.lock(lease_ref.paths, lease_ref.timing)


def acquire_lock(
    options: AcquireOptions,
    request: LockRequest,
    stop: Stop,
    *,
    verifier: Verifier,
    kept_by: str,
    announce: Callable[[LeaseRef], None],
) -> HeldLock | Stopped:
    """Wait for a lock and tell people how it goes.

    Args:
        options: the options.
        request: the lock.
        stop: ends the wait.
        verifier: is asked whether a holder is dead.
        kept_by: who renews the lease, for people.
        announce: is given the lease before it is claimed, with token 0, and when it is granted.

    Raises:
        NotAcquired: it was not to be had in time, and who has it; or a newer run has come.
        LockError: whatever else went wrong.
    """
    connection = open_bucket(
        request.paths.location.bucket, options.endpoint, verbose=options.verbose
    )
    lock = connection.lock(request.paths, request.timing)

    def lease_ref(lease: str) -> LeaseRef:
        return LeaseRef.before_claim(request, lease, endpoint=options.endpoint, keeper="process")

    with wait_observer(
        lambda lease: announce(lease_ref(lease)),
        clock=connection.clock,
        lines_between=options.verbose,
    ) as observer:
        waiter = Acquisition(
            lock,
            request,
            random=connection.random,
            stop=stop,
            observer=observer,
            verifier=verifier,
        )
        outcome = waiter.run()
    match outcome:
        case Acquired():
            lease = outcome.lease
            try:
                announce(lease_ref(lease.id).granted(lease, waited=outcome.waited))
            except LockError:
                # Nobody would know of the lease.
                release(lock, lease.id, random=connection.random)
                raise
            _tell_acquired(request, outcome, kept_by)
            return HeldLock(lock, request, outcome, random=connection.random)
        case Obsolete():
            raise NotAcquired(obsolete_line(request.paths.name, outcome))
        case TimedOut():
            raise NotAcquired("\n".join(timeout_lines(outcome.status)))
        case Stopped():
            print_err(f'Stopped waiting for lock "{request.paths.name}"')
            return outcome


def _tell_acquired(request: LockRequest, acquired: Acquired, kept_by: str) -> None:
    beat = format_duration(request.timing.renew_every or 0.0)
    how = f"renewed every {beat} by {kept_by}"
    print_err(acquired_line(request.paths.name, acquired.waited, acquired.lease.token, how))
    for ended in acquired.took_over:
        print_err(took_over_line(ended))


def verifier_for(options: AcquireOptions) -> Verifier:
    """Return who is asked whether a holder's job is over; one for all locks of a command."""
    if not options.verify_holder:
        return NoVerifier()
    return verifier_of(os.environ, github_token="", clock=SystemClock())
