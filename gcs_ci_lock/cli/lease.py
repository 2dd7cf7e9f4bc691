"""`acquire`, `check` and `release`: the lease outlives the process, in a file."""

import json
import os
import sys
from pathlib import Path

from gcs_ci_lock.cli.acquire import (
    acquire_lock,
    open_lock,
    print_release,
    requests_of,
    verifier_for,
)
from gcs_ci_lock.cli.options import AcquireOptions
from gcs_ci_lock.errors import LockError, NotAcquired, UsageError
from gcs_ci_lock.keepalive.adopted import check_lease, end_lease
from gcs_ci_lock.keepalive.detached import STOP_WITHIN, DetachedKeeper
from gcs_ci_lock.keepalive.ending import RecordReplaced, how_it_ended, keeper_gone
from gcs_ci_lock.keepalive.held import HeldLock
from gcs_ci_lock.keepalive.lease_file import KeeperFileLock, KeeperInfo, LeaseFile
from gcs_ci_lock.keepalive.lease_ref import LeaseRef
from gcs_ci_lock.locking.lease import Lost
from gcs_ci_lock.locking.outcome import Released, Stopped
from gcs_ci_lock.locking.request import LockRequest
from gcs_ci_lock.protocol.record import LossReason, PastLease
from gcs_ci_lock.report.messages import lease_lost, not_released_line, released_line
from gcs_ci_lock.system.clock import SystemClock
from gcs_ci_lock.system.console import print_err, write_line
from gcs_ci_lock.system.signals import SignalStop, StopWhen

RENEWED_BY = "a background process"


def acquire(options: AcquireOptions, path: Path, *, as_json: bool) -> int:
    """Acquire a lock, write its lease file, start its keeper; return the exit code.

    Raises:
        NotAcquired: it was not acquired in time.
        LockError: anything else that went wrong; no lock is held then, and an existing file is left
            as it is.
    """
    # Report a wrong option before anything is changed.
    request = _only_one(options)
    lease_file = LeaseFile(path)
    file_lock = KeeperFileLock.acquire(lease_file, SystemClock())
    file_lock.write_working()
    # If the keeper was started already, it ends when its file is gone.
    stop = SignalStop.installed(before_exit=lease_file.discard)
    try:
        _release_leftover(lease_file, verbose=options.verbose)
        held = acquire_lock(
            options,
            request,
            StopWhen(stop, lambda: not lease_file.still_ours(), SystemClock()),
            verifier=verifier_for(options),
            renewed_by=RENEWED_BY,
            announce=lease_file.write,
            keepalive=lambda keeper: DetachedKeeper(
                lease_file, file_lock, keeper, environ=os.environ
            ),
        )
        if isinstance(held, HeldLock):
            _leave_to_keeper(held, stop, as_json=as_json)
    except LockError:
        lease_file.discard()
        raise
    if stop.is_set() or isinstance(held, Stopped):
        lease_file.discard()
        return stop.exit_code
    return 0


def check(path: Path, *, verbose: bool) -> int:
    """Check that a lease still holds; return the exit code.

    Raises:
        LeaseLost: the lease is lost.
        LockError: the state of the lease cannot be read.
    """
    lease_file = LeaseFile(path)
    lease_ref = lease_file.read()
    if lease_ref is None:
        message = (
            f"there is no lease file {lease_file.path}: run `gcs-ci-lock acquire` first, with the "
            "same --lease-file"
        )
        raise UsageError(message)
    if not lease_ref.token:
        message = (
            f'lock "{lease_ref.name}" is not acquired yet: {lease_file.path} is waiting for it'
        )
        raise NotAcquired(message)
    keeper = lease_file.keeper_info()
    if not keeper.alive:
        raise lease_lost(lease_ref.name, _loss_without_keeper(lease_ref, keeper))
    connection, lock = open_lock(lease_ref, verbose=verbose)
    if (lost := check_lease(lock, lease_ref, random=connection.random)) is not None:
        raise lease_lost(lease_ref.name, lost)
    print_err(f'Lock "{lease_ref.name}" is held: fencing token {lease_ref.token}')
    return 0


def release(path: Path, *, verbose: bool) -> int:
    """Stop the keeper, release the lease, delete the file; return the exit code.

    Raises:
        LeaseLost: it was lost before; another job's lease is never released.
        UsageError: the lease file cannot be used.
    """
    lease_file = LeaseFile(path)
    lease_ref = lease_file.read()
    if lease_ref is None:
        print_err(f"Nothing to release: there is no lease file {lease_file.path}")
        return 0
    keeper = lease_file.keeper_info()
    lost_before = not keeper.alive and lease_ref.token
    known = _loss_without_keeper(lease_ref, keeper) if lost_before else None
    if not lease_file.stop_keeper(SystemClock(), within=STOP_WITHIN):
        print_err(f"The keeper of lease file {lease_file.path} does not end; releasing anyway")
    try:
        connection, lock = open_lock(lease_ref, verbose=verbose)
        result = end_lease(lock, lease_ref, random=connection.random, loss=known)
    except LockError as error:
        print_err(not_released_line(lease_ref.name, error, ttl=lease_ref.timing.ttl))
        return error.exit_code
    lease_file.remove()
    ended = result.ended if isinstance(result, Released) else result
    loss = how_it_ended(lease_ref, known, ended)
    if loss is None and isinstance(ended, PastLease):
        # A keeper that was gone before us released by itself: its file was away for a while.
        loss = known
    match loss:
        case RecordReplaced(lost=lost) | (Lost() as lost):
            raise lease_lost(lease_ref.name, lost)
        case None if lease_ref.token:
            print_err(released_line(lease_ref.name, lease_ref.token))
        case None:
            print_err(f'Nothing to release: lock "{lease_ref.name}" was not acquired')
    return 0


def _only_one(options: AcquireOptions) -> LockRequest:
    first, *others = requests_of(options)
    if others:
        message = (
            "acquire accepts only one lock: expected one NAME for each --lease-file. "
            "For several together: gcs-ci-lock run NAME... -- COMMAND"
        )
        raise UsageError(message)
    return first


def _release_leftover(lease_file: LeaseFile, *, verbose: bool) -> None:
    """Release the lease of an earlier acquire whose keeper is gone.

    Raises:
        UsageError: the file is not a lease file; it is left as it is.
    """
    leftover = lease_file.read()
    if leftover is None:
        return
    try:
        connection, lock = open_lock(leftover, verbose=verbose)
        end_lease(lock, leftover, random=connection.random)
    except LockError as error:
        print_err(f"The earlier lease in {lease_file.path} could not be released: {error}")
    else:
        print_err(f'Released the earlier lease of lock "{leftover.name}" in {lease_file.path}')


def _leave_to_keeper(held: HeldLock, stop: SignalStop, *, as_json: bool) -> None:
    """Start the keeper and print the lease; if that fails or a signal arrived, release it.

    Raises:
        LockError: the keeper did not start, or the lease cannot be printed.
    """
    try:
        held.start()
        if as_json and not stop.is_set():
            _print_lease(held)
    except LockError:
        print_release(held, held.release())
        raise
    if stop.is_set():
        # The signal arrived while the keeper started: the lock is not wanted any more.
        print_release(held, held.release())


def _print_lease(held: HeldLock) -> None:
    lease = held.acquired.lease
    document = {
        "name": held.name,
        "lease": lease.id,
        "token": lease.token,
        "waited_s": round(held.acquired.waited, 3),
        "expires_at": lease.expires_at,
    }
    if not write_line(sys.stdout, json.dumps(document)):
        message = "cannot write the lease to standard output; the lock was released again"
        raise LockError(message)


def _loss_without_keeper(lease_ref: LeaseRef, keeper: KeeperInfo) -> Lost:
    if not keeper.ended:
        return keeper_gone(lease_ref)
    return Lost(reason=keeper.loss or LossReason.KEEPER_GONE, message=keeper.ended)
