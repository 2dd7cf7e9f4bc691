"""Acquire one lock for a command, and report the progress."""

import os
from collections.abc import Callable
from dataclasses import replace

from gcs_ci_lock.cli.options import AcquireOptions
from gcs_ci_lock.cli.progress import wait_observer
from gcs_ci_lock.errors import LockError, NotAcquired, UsageError
from gcs_ci_lock.keepalive import KeepAlive
from gcs_ci_lock.keepalive.held import HeldLock, ReleaseResult
from gcs_ci_lock.keepalive.keeper import Keeper
from gcs_ci_lock.keepalive.lease_ref import LeaseRef
from gcs_ci_lock.locking.acquisition import Acquisition
from gcs_ci_lock.locking.client import LockClient
from gcs_ci_lock.locking.lease import Lost
from gcs_ci_lock.locking.outcome import (
    Acquired,
    NotReleased,
    Obsolete,
    Released,
    Stopped,
    TimedOut,
)
from gcs_ci_lock.locking.request import LockRequest, LockSettings
from gcs_ci_lock.platforms import current
from gcs_ci_lock.platforms.verifier import NoVerifier, verifier_of
from gcs_ci_lock.ports import Stop, Verifier
from gcs_ci_lock.protocol.duration import format_duration
from gcs_ci_lock.protocol.text import MAX_FOREIGN
from gcs_ci_lock.report.messages import (
    acquired_line,
    not_released_line,
    obsolete_line,
    released_line,
    timeout_lines,
    took_over_line,
)
from gcs_ci_lock.system.clock import SystemClock
from gcs_ci_lock.system.console import print_err
from gcs_ci_lock.wiring import Connection, connect, resolve_credentials


def requests_of(options: AcquireOptions) -> tuple[LockRequest, ...]:
    """Return one request per lock, in the order in which to acquire them.

    Raises:
        UsageError: an option is wrong.
    """
    settings = LockSettings(
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
    owner = current(os.environ).owner(os.environ)
    return settings.requests(
        owner=replace(owner, reason=options.reason, identity=options.identity.strip())
    )


def connect_bucket(bucket: str, endpoint: str, *, verbose: bool) -> Connection:
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
    connection = connect_bucket(
        lease_ref.paths.location.bucket, lease_ref.endpoint, verbose=verbose
    )
    return connection, connection.lock(lease_ref.paths, lease_ref.timing)


def acquire_lock(
    options: AcquireOptions,
    request: LockRequest,
    stop: Stop,
    *,
    verifier: Verifier,
    renewed_by: str,
    announce: Callable[[LeaseRef], None],
    keepalive: Callable[[Keeper], KeepAlive],
) -> HeldLock | Stopped:
    """Wait for a lock and report the progress; nothing renews its lease yet.

    Args:
        options: as given.
        request: the lock.
        stop: ends the wait.
        verifier: finds out whether a holder's job is over.
        renewed_by: what will renew the lease, for people.
        announce: called with the lease before its claim, with token 0, and after its grant.
        keepalive: returns the keep-alive of the lease.

    Raises:
        NotAcquired: it was not acquired in time, and who holds it; or a newer run has made this one
            obsolete.
        LockError: anything else that went wrong.
    """
    connection = connect_bucket(
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
        outcome = Acquisition(
            lock,
            request,
            random=connection.random,
            stop=stop,
            observer=observer,
            verifier=verifier,
        ).run()
    match outcome:
        case Acquired():
            lease = outcome.lease
            keeper = Keeper.of_new_lease(
                lock, lease, random=connection.random, max_hold=request.max_hold
            )
            held = HeldLock(lock, request, outcome, keepalive(keeper), random=connection.random)
            try:
                announce(lease_ref(lease.id).granted(lease, waited=outcome.waited))
            except LockError:
                # Later steps would not find the lease.
                print_release(held, held.release())
                raise
            _print_acquired(request, outcome, renewed_by)
            return held
        case Obsolete():
            raise NotAcquired(obsolete_line(request.paths.name, outcome))
        case TimedOut():
            raise NotAcquired("\n".join(timeout_lines(outcome.status)))
        case Stopped():
            print_err(f'Stopped waiting for lock "{request.paths.name}"')
            return outcome


def print_release(held: HeldLock, result: ReleaseResult) -> None:
    """Print how one release ended; a loss is an error that the caller raises."""
    match result:
        case Released():
            print_err(released_line(held.name, held.acquired.lease.token))
        case Lost() if result.max_hold_over:
            print_err(released_line(held.name, held.acquired.lease.token))
        case NotReleased():
            ttl = held.request.timing.ttl
            print_err(not_released_line(held.name, result.error, ttl=ttl))
        case _:
            pass


def verifier_for(options: AcquireOptions) -> Verifier:
    """Return the verifier for all locks of a command."""
    if not options.verify_holder:
        return NoVerifier()
    return verifier_of(os.environ, tokens={}, clock=SystemClock())


def _print_acquired(request: LockRequest, acquired: Acquired, renewed_by: str) -> None:
    interval = format_duration(request.timing.renew_every or 0.0)
    how = f"renewed every {interval} by {renewed_by}"
    print_err(acquired_line(request.paths.name, acquired.waited, acquired.lease.token, how))
    for ended in acquired.took_over:
        print_err(took_over_line(ended))
