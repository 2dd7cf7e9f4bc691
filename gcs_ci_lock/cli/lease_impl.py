"""What `acquire`, `check`, `release` and their background keeper do."""

import json
import os
import sys
from pathlib import Path

from gcs_ci_lock.cli.acquire import acquire, open_lock, requests_of, verifier_for
from gcs_ci_lock.cli.options import Asking
from gcs_ci_lock.errors import LeaseLost, LockError, NotAcquired, UsageError
from gcs_ci_lock.keepalive.adopted import keep_handed
from gcs_ci_lock.keepalive.detached import start_keeper
from gcs_ci_lock.keepalive.ending import Stranger, note_of, verdict
from gcs_ci_lock.keepalive.handed import end, loss_of, release
from gcs_ci_lock.keepalive.held import Held
from gcs_ci_lock.keepalive.lease_file import KeeperMark, LeaseFile, OwnMark
from gcs_ci_lock.keepalive.lease_ref import Handover
from gcs_ci_lock.locking.client import Released
from gcs_ci_lock.locking.lease import TOLD_TO_STOP, Lost
from gcs_ci_lock.locking.outcome import Stopped
from gcs_ci_lock.locking.request import LockRequest
from gcs_ci_lock.report.messages import lease_lost, released_line
from gcs_ci_lock.system.clock import SignalStop, SystemChance, SystemClock
from gcs_ci_lock.system.console import say, write_line
from gcs_ci_lock.system.signals import WantedStop

KEPT_BEHIND = "a background process"
KEEPER_ENDS_WITHIN = 30.0


def acquire_lease(asking: Asking, path: Path, *, as_json: bool) -> int:
    """Acquire a lock, write its lease file, start its keeper; return the exit code.

    Raises:
        NotAcquired: it was not to be had in time.
        LockError: whatever else went wrong; nothing is held then, and a file that was there
            before is left as it is.
    """
    # A wrong option is told before anything is touched.
    request = _one_of(asking)
    lease_file = LeaseFile(path)
    mark = OwnMark.take(lease_file, SystemClock())
    mark.say("")
    # A keeper that was started already ends when its file is gone.
    stop = SignalStop(at_once=lease_file.forget)
    wanted = WantedStop(stop, lease_file.is_wanted, SystemClock())
    try:
        _end_leftover(lease_file, verbose=asking.verbose)
        held = acquire(
            asking,
            request,
            wanted,
            verifier=verifier_for(asking),
            kept_by=KEPT_BEHIND,
            announce=lease_file.write,
        )
        if isinstance(held, Held):
            _hand_on(held, lease_file, mark, stop, as_json=as_json)
    except LockError:
        lease_file.forget()
        raise
    if stop.is_set() or isinstance(held, Stopped):
        lease_file.forget()
        return stop.exit_code
    return 0


def _one_of(asking: Asking) -> LockRequest:
    first, *others = requests_of(asking)
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
        end(lock, leftover, chance=connection.chance)
    except LockError as error:
        say(f"The earlier lease in {lease_file.path} could not be released: {error}")
    else:
        say(f'Released the earlier lease of lock "{leftover.name}" in {lease_file.path}')


def _hand_on(
    held: Held, lease_file: LeaseFile, mark: OwnMark, stop: SignalStop, *, as_json: bool
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


def _take_back(held: Held, lease_file: LeaseFile) -> None:
    lease_file.stop_keeper(held.lock.clock, within=KEEPER_ENDS_WITHIN)
    release(held.lock, held.acquired.tenure.lease, chance=SystemChance())


def _show(held: Held) -> None:
    tenure = held.acquired.tenure
    document = {
        "name": held.request.paths.name,
        "lease": tenure.lease,
        "token": tenure.token,
        "waited_s": round(held.acquired.waited, 3),
        "expires_at": tenure.expires_at,
    }
    if not write_line(sys.stdout, json.dumps(document)):
        message = "standard output cannot be written, so that nobody would know the lease"
        raise LockError(message)


def check_lease(path: Path, *, verbose: bool) -> int:
    """Tell whether a lease still holds; return the exit code.

    Raises:
        LeaseLost: it does not.
        LockError: it cannot be told.
    """
    lease_file = LeaseFile(path)
    handover = _wanted(lease_file)
    if not handover.token:
        message = f'lock "{handover.name}" is not acquired yet: {lease_file.path} is waiting for it'
        raise NotAcquired(message)
    mark = lease_file.keeper()
    if not mark.alive:
        raise lease_lost(handover.name, _loss_of(handover, mark))
    connection, lock = open_lock(handover, verbose=verbose)
    if (lost := loss_of(lock, handover, chance=connection.chance)) is not None:
        raise lease_lost(handover.name, lost)
    say(f'Lock "{handover.name}" is held: fencing token {handover.token}')
    return 0


def release_lease(path: Path, *, verbose: bool) -> int:
    """End the keeper, release the lease, remove the file; return the exit code.

    Raises:
        LeaseLost: it was not ours any more; nothing was touched.
        LockError: it cannot be told.
    """
    lease_file = LeaseFile(path)
    handover = lease_file.read()
    if handover is None:
        say(f"Nothing to release: there is no lease file {lease_file.path}")
        return 0
    mark = lease_file.keeper()
    known = None if mark.alive or not handover.token else _loss_of(handover, mark)
    if not lease_file.stop_keeper(SystemClock(), within=KEEPER_ENDS_WITHIN):
        say(f"The keeper of lease file {lease_file.path} does not end; releasing all the same")
    connection, lock = open_lock(handover, verbose=verbose)
    result = end(lock, handover, chance=connection.chance, note=note_of(known))
    lease_file.remove()
    ended = result.ended if isinstance(result, Released) else result
    match verdict(handover, known, ended):
        case Stranger(lost=lost) | (Lost() as lost):
            raise lease_lost(handover.name, lost)
        case None if handover.token:
            say(released_line(handover.name, handover.token))
        case None:
            say(f'Nothing to release: lock "{handover.name}" was not acquired')
    return 0


def keep_lease(path: Path, inherited: int) -> int:
    """Renew a lease until SIGTERM, then release it; return the exit code."""
    lease_file = LeaseFile(path)
    handover = _wanted(lease_file)
    mark = OwnMark(inherited)
    stop = WantedStop(SignalStop(), lambda: lease_file.holds(handover.lease), SystemClock())
    try:
        connection, lock = open_lock(handover, verbose=False)
        ended = keep_handed(
            lock,
            handover,
            stop,
            chance=connection.chance,
            at_work=lambda _: mark.say(""),
            # Whoever releases the lease takes the file away.
            note=lambda: TOLD_TO_STOP if lease_file.holds(handover.lease) else "",
        )
    except LockError as error:
        mark.say(str(error))
        return error.exit_code
    if isinstance(ended, Lost):
        mark.say(ended.reason)
        return LeaseLost.exit_code
    mark.say(f"token {handover.token} was released")
    return 0


def _loss_of(handover: Handover, mark: KeeperMark) -> Lost:
    gone = f"token {handover.token}: its keeper is gone, and nobody renews it"
    return Lost(reason=mark.ended or gone)


def _wanted(lease_file: LeaseFile) -> Handover:
    handover = lease_file.read()
    if handover is None:
        message = (
            f"there is no lease file {lease_file.path}: expected one that "
            "`gcs-ci-lock acquire --lease-file` wrote"
        )
        raise UsageError(message)
    return handover
