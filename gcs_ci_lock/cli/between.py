"""What `acquire`, `check`, `release` and their background keeper do."""

import json
import os
from pathlib import Path

from gcs_ci_lock.cli.common import acquire, open_lock, say
from gcs_ci_lock.cli.options import Asking
from gcs_ci_lock.clock import SignalStop, SystemClock
from gcs_ci_lock.core.handover import Handover
from gcs_ci_lock.core.loss import Lost, taken_away
from gcs_ci_lock.core.outcome import Stopped
from gcs_ci_lock.detached import start_keeper
from gcs_ci_lock.errors import LeaseLost, LockError, UsageError
from gcs_ci_lock.handed import adopt, end
from gcs_ci_lock.keeper import Keeper
from gcs_ci_lock.leasefile import LeaseFile, OwnMark
from gcs_ci_lock.lock import Released
from gcs_ci_lock.report.lines import lost_lines, released_line

KEPT_BEHIND = "a background process"
KEEPER_ENDS_WITHIN = 30.0


def acquire_lease(asking: Asking, path: Path, *, as_json: bool) -> int:
    """Acquire a lock, write its lease file, start its keeper; return the exit code.

    Raises:
        NotAcquired: it was not to be had in time.
        LockError: whatever else went wrong; nothing is held then.
    """
    lease_file = LeaseFile(path)
    if lease_file.keeper().alive:
        message = (
            f"lease file {lease_file.path} belongs to a lease that is kept alive: "
            "release it first, or give another --lease-file"
        )
        raise UsageError(message)
    lease_file.clear_mark()
    stop = SignalStop()
    try:
        held = acquire(asking, stop, kept_by=KEPT_BEHIND, announce=lease_file.write)
    except LockError:
        lease_file.remove()
        raise
    if isinstance(held, Stopped):
        lease_file.remove()
        return stop.exit_code
    tenure = held.acquired.tenure
    try:
        start_keeper(lease_file, clock=held.connection.clock, environ=os.environ)
    except LockError:
        held.lock.release(tenure.lease)
        lease_file.remove()
        raise
    if stop.is_set():
        # The signal came while the keeper started: nobody wants the lock any more.
        lease_file.stop_keeper(held.connection.clock, within=KEEPER_ENDS_WITHIN)
        held.lock.release(tenure.lease)
        lease_file.remove()
        return stop.exit_code
    if as_json:
        document = {
            "name": held.request.paths.name,
            "lease": tenure.lease,
            "token": tenure.token,
            "waited_s": round(held.acquired.waited, 3),
            "expires_at": tenure.expires_at,
        }
        print(json.dumps(document))
    return 0


def check_lease(path: Path, *, verbose: bool) -> int:
    """Tell whether a lease still holds; return the exit code.

    Raises:
        LeaseLost: it does not.
        LockError: it cannot be told.
    """
    lease_file = LeaseFile(path)
    handover = _wanted(lease_file)
    mark = lease_file.keeper()
    if handover.kept and not mark.alive:
        reason = mark.ended or "its keeper is gone, and nobody renews it"
        raise LeaseLost("\n".join(lost_lines(handover.name, f"token {handover.token}: {reason}")))
    connection, lock = open_lock(handover, verbose=verbose)
    tenure = adopt(lock, handover)
    if isinstance(tenure, Lost):
        raise LeaseLost("\n".join(lost_lines(handover.name, tenure.reason)))
    boot = connection.clock.boot()
    if not tenure.believed(boot, connection.server_clock.at(boot).latest):
        reason = f"token {handover.token} was not renewed in time"
        raise LeaseLost("\n".join(lost_lines(handover.name, reason)))
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
    if not lease_file.stop_keeper(SystemClock(), within=KEEPER_ENDS_WITHIN):
        say(f"The keeper of lease file {lease_file.path} does not end; releasing all the same")
    connection, lock = open_lock(handover, verbose=verbose)
    result = end(lock, handover, chance=connection.chance)
    lease_file.remove()
    if isinstance(result, Released):
        say(released_line(handover.name, handover.token))
        return 0
    lost = adopt(lock, handover)
    reason = lost.reason if isinstance(lost, Lost) else "it is held again"
    raise LeaseLost("\n".join(lost_lines(handover.name, reason)))


def keep_lease(path: Path) -> int:
    """Renew a lease until SIGTERM, then release it; return the exit code."""
    lease_file = LeaseFile(path)
    handover = _wanted(lease_file)
    stop = SignalStop()
    mark = OwnMark(lease_file)
    try:
        connection, lock = open_lock(handover, verbose=False)
        tenure = adopt(lock, handover)
        if isinstance(tenure, Lost):
            raise LeaseLost(tenure.reason)
        keeper = Keeper(
            lock,
            tenure,
            chance=connection.chance,
            max_hold=handover.max_hold_s,
            began=tenure.sent_at,
        )
        mark.say("")
        result = keeper.keep(stop)
        if isinstance(result, Lost):
            mark.say(result.reason)
            return LeaseLost.exit_code
        ended = end(lock, handover, chance=connection.chance)
        mark.say(
            "it was released"
            if isinstance(ended, Released)
            else taken_away(keeper.tenure, ended).reason
        )
    except LockError as error:
        mark.say(str(error))
        return error.exit_code
    return 0


def _wanted(lease_file: LeaseFile) -> Handover:
    handover = lease_file.read()
    if handover is None:
        message = (
            f"there is no lease file {lease_file.path}: expected one that "
            "`gcs-ci-lock acquire --lease-file` wrote"
        )
        raise UsageError(message)
    return handover
