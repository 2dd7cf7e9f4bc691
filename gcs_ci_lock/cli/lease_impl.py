"""What `acquire`, `check`, `release` and their background keeper do."""

import json
import os
import sys
from pathlib import Path

from gcs_ci_lock.cli.acquire import acquire_lock, open_lock, requests_of, verifier_for
from gcs_ci_lock.cli.options import AcquireOptions
from gcs_ci_lock.errors import LeaseLost, LockError, NotAcquired, UsageError
from gcs_ci_lock.keepalive.adopted import check_lease, end_lease, keep_adopted
from gcs_ci_lock.keepalive.detached import start_keeper
from gcs_ci_lock.keepalive.ending import RecordReplaced, how_it_ended, release_note
from gcs_ci_lock.keepalive.held import HeldLock
from gcs_ci_lock.keepalive.lease_file import KeeperFileLock, KeeperInfo, LeaseFile
from gcs_ci_lock.keepalive.lease_ref import LeaseRef
from gcs_ci_lock.locking.client import Released
from gcs_ci_lock.locking.lease import TOLD_TO_STOP, Lost
from gcs_ci_lock.locking.outcome import Stopped
from gcs_ci_lock.locking.request import LockRequest
from gcs_ci_lock.locking.retry import release as release_by_id
from gcs_ci_lock.report.messages import lease_lost, released_line
from gcs_ci_lock.system.clock import SignalStop, SystemClock, SystemRandom
from gcs_ci_lock.system.console import print_err, write_line
from gcs_ci_lock.system.signals import StopWhen

KEPT_BEHIND = "a background process"
KEEPER_ENDS_WITHIN = 30.0


def acquire(options: AcquireOptions, path: Path, *, as_json: bool) -> int:
    """Acquire a lock, write its lease file, start its keeper; return the exit code.

    Raises:
        NotAcquired: it was not to be had in time.
        LockError: whatever else went wrong; nothing is held then, and a file that was there
            before is left as it is.
    """
    # A wrong option is told before anything is touched.
    request = _one_of(options)
    lease_file = LeaseFile(path)
    mark = KeeperFileLock.acquire(lease_file, SystemClock())
    mark.write("")
    # A keeper that was started already ends when its file is gone.
    stop = SignalStop(at_once=lease_file.discard)
    wanted = StopWhen(stop, lease_file.still_ours, SystemClock())
    try:
        _end_leftover(lease_file, verbose=options.verbose)
        held = acquire_lock(
            options,
            request,
            wanted,
            verifier=verifier_for(options),
            kept_by=KEPT_BEHIND,
            announce=lease_file.write,
        )
        if isinstance(held, HeldLock):
            _hand_on(held, lease_file, mark, stop, as_json=as_json)
    except LockError:
        lease_file.discard()
        raise
    if stop.is_set() or isinstance(held, Stopped):
        lease_file.discard()
        return stop.exit_code
    return 0


def _one_of(options: AcquireOptions) -> LockRequest:
    first, *others = requests_of(options)
    if others:
        message = (
            "acquire takes one lock: expected one NAME for each --lease-file. "
            "For several at once: gcs-ci-lock run NAME... -- COMMAND"
        )
        raise UsageError(message)
    return first


def _end_leftover(lease_file: LeaseFile, *, verbose: bool) -> None:
    """Release the lease of an earlier acquire whose keeper is gone.

    Raises:
        UsageError: the file is there, and is no lease file: it is left as it is.
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


def _hand_on(
    held: HeldLock, lease_file: LeaseFile, mark: KeeperFileLock, stop: SignalStop, *, as_json: bool
) -> None:
    """Start the keeper and tell the lease; else give it back.

    Raises:
        LockError: the keeper did not start, or nobody can be told.
    """
    try:
        start_keeper(lease_file, mark, clock=held.lock.clock, environ=os.environ)
        if as_json and not stop.is_set():
            _show(held)
    except LockError:
        _take_back(held, lease_file)
        raise
    if stop.is_set():
        # The signal came while the keeper started: nobody wants the lock any more.
        _take_back(held, lease_file)


def _take_back(held: HeldLock, lease_file: LeaseFile) -> None:
    lease_file.stop_keeper(held.lock.clock, within=KEEPER_ENDS_WITHIN)
    release_by_id(held.lock, held.acquired.lease.id, random=SystemRandom())


def _show(held: HeldLock) -> None:
    lease = held.acquired.lease
    document = {
        "name": held.request.paths.name,
        "lease": lease.id,
        "token": lease.token,
        "waited_s": round(held.acquired.waited, 3),
        "expires_at": lease.expires_at,
    }
    if not write_line(sys.stdout, json.dumps(document)):
        message = "standard output cannot be written, so that nobody would know the lease"
        raise LockError(message)


def check(path: Path, *, verbose: bool) -> int:
    """Tell whether a lease still holds; return the exit code.

    Raises:
        LeaseLost: it does not.
        LockError: it cannot be told.
    """
    lease_file = LeaseFile(path)
    lease_ref = _wanted(lease_file)
    if not lease_ref.token:
        message = (
            f'lock "{lease_ref.name}" is not acquired yet: {lease_file.path} is waiting for it'
        )
        raise NotAcquired(message)
    mark = lease_file.keeper_info()
    if not mark.alive:
        raise lease_lost(lease_ref.name, _loss_of(lease_ref, mark))
    connection, lock = open_lock(lease_ref, verbose=verbose)
    if (lost := check_lease(lock, lease_ref, random=connection.random)) is not None:
        raise lease_lost(lease_ref.name, lost)
    print_err(f'Lock "{lease_ref.name}" is held: fencing token {lease_ref.token}')
    return 0


def release(path: Path, *, verbose: bool) -> int:
    """End the keeper, release the lease, remove the file; return the exit code.

    Raises:
        LeaseLost: it was not ours any more; nothing was touched.
        LockError: it cannot be told.
    """
    lease_file = LeaseFile(path)
    lease_ref = lease_file.read()
    if lease_ref is None:
        print_err(f"Nothing to release: there is no lease file {lease_file.path}")
        return 0
    mark = lease_file.keeper_info()
    known = None if mark.alive or not lease_ref.token else _loss_of(lease_ref, mark)
    if not lease_file.stop_keeper(SystemClock(), within=KEEPER_ENDS_WITHIN):
        print_err(
            f"The keeper of lease file {lease_file.path} does not end; releasing all the same"
        )
    connection, lock = open_lock(lease_ref, verbose=verbose)
    result = end_lease(lock, lease_ref, random=connection.random, note=release_note(known))
    lease_file.remove()
    ended = result.ended if isinstance(result, Released) else result
    match how_it_ended(lease_ref, known, ended):
        case RecordReplaced(lost=lost) | (Lost() as lost):
            raise lease_lost(lease_ref.name, lost)
        case None if lease_ref.token:
            print_err(released_line(lease_ref.name, lease_ref.token))
        case None:
            print_err(f'Nothing to release: lock "{lease_ref.name}" was not acquired')
    return 0


def keep_lease(path: Path, inherited: int) -> int:
    """Renew a lease until SIGTERM, then release it; return the exit code."""
    lease_file = LeaseFile(path)
    lease_ref = _wanted(lease_file)
    mark = KeeperFileLock(inherited)
    stop = StopWhen(SignalStop(), lambda: lease_file.names_lease(lease_ref.lease), SystemClock())
    try:
        connection, lock = open_lock(lease_ref, verbose=False)
        ended = keep_adopted(
            lock,
            lease_ref,
            stop,
            random=connection.random,
            on_start=lambda _: mark.write(""),
            # Whoever releases the lease takes the file away.
            note=lambda: TOLD_TO_STOP if lease_file.names_lease(lease_ref.lease) else "",
        )
    except LockError as error:
        mark.write(str(error))
        return error.exit_code
    if isinstance(ended, Lost):
        mark.write(ended.reason)
        return LeaseLost.exit_code
    mark.write(f"token {lease_ref.token} was released")
    return 0


def _loss_of(lease_ref: LeaseRef, mark: KeeperInfo) -> Lost:
    gone = f"token {lease_ref.token}: its keeper is gone, and nobody renews it"
    return Lost(reason=mark.ended or gone)


def _wanted(lease_file: LeaseFile) -> LeaseRef:
    lease_ref = lease_file.read()
    if lease_ref is None:
        message = (
            f"there is no lease file {lease_file.path}: expected one that "
            "`gcs-ci-lock acquire --lease-file` wrote"
        )
        raise UsageError(message)
    return lease_ref
