"""`run` and `hold`: the leases last as long as this process."""

import os
from collections.abc import Sequence

from gcs_ci_lock.cli.acquire import acquire_lock, print_release, requests_of, verifier_for
from gcs_ci_lock.cli.options import AcquireOptions
from gcs_ci_lock.errors import LeaseLost, LockError
from gcs_ci_lock.keepalive.held import HeldLock, HeldLocks, exit_code_on_release, loss_on_release
from gcs_ci_lock.keepalive.lease_ref import LeaseRef
from gcs_ci_lock.keepalive.thread import KeeperThread
from gcs_ci_lock.locking.lease import Lost
from gcs_ci_lock.locking.outcome import Obsolete, Stopped, TimedOut
from gcs_ci_lock.locking.request import LockRequest
from gcs_ci_lock.ports import Stop
from gcs_ci_lock.system.child import Child, ChildExited
from gcs_ci_lock.system.console import print_err
from gcs_ci_lock.system.signals import SignalStop

RENEWED_BY = "this process"


def run(options: AcquireOptions, argv: Sequence[str]) -> int:
    """Acquire the locks, run the command, release; return the exit code.

    Raises:
        LeaseLost: a lease was lost; the command was stopped if it still ran.
        LockError: anything else that went wrong.
    """
    stop = SignalStop.installed()
    held = _acquire(options, stop)
    if not isinstance(held, HeldLocks):
        return stop.exit_code
    if stop.is_set():
        held.release()
        return stop.exit_code
    # If the machine was suspended since the grant, the command must not start.
    if held.first_loss() is not None:
        return _release(held)
    try:
        # While no other thread of ours runs: between fork and exec it could hold a mutex.
        child = Child.start(argv, {**os.environ, **_variables(held)})
    except LockError:
        held.release()
        raise

    def work() -> ChildExited | Lost:
        return child.supervise(
            held.first_loss,
            clock=held.locks[0].lock.clock,
            kill_within=held.locks[0].request.timing.margin,
            pending=lambda: stop.number,
        )

    finished = held.renewed_while(work)
    if isinstance(finished, Lost):
        # Before the release, which may take a while.
        print_err(f"Stopped the command: {finished.message}")
    not_released = _release(held)
    if isinstance(finished, Lost):
        return LeaseLost.exit_code
    return finished.exit_code or not_released


def hold(options: AcquireOptions) -> int:
    """Acquire the locks and renew them until a signal; return the exit code.

    Raises:
        LeaseLost: a lease was lost.
        LockError: anything else that went wrong.
    """
    stop = SignalStop.installed()
    held = _acquire(options, stop)
    if not isinstance(held, HeldLocks):
        return stop.exit_code
    held.wait(stop)
    return _release(held)


def _acquire(options: AcquireOptions, stop: SignalStop) -> HeldLocks | Stopped:
    verifier = verifier_for(options)

    def acquire_one(request: LockRequest, until: Stop) -> HeldLock | Stopped:
        return acquire_lock(
            options,
            request,
            until,
            verifier=verifier,
            renewed_by=RENEWED_BY,
            announce=_ignore,
            keepalive=KeeperThread,
        )

    outcome = HeldLocks.acquire(requests_of(options), stop, acquire_one, on_release=print_release)
    match outcome:
        case HeldLocks() | Stopped():
            return outcome
        case TimedOut() | Obsolete():
            # `acquire_lock` raises instead.
            raise AssertionError


def _release(held: HeldLocks) -> int:
    """Release the locks; return 0, or the exit code for locks that could not be released.

    Raises:
        LeaseLost: one was lost, perhaps before anything noticed; another job may have run too.
    """
    results = held.release()
    if (loss := loss_on_release(results)) is not None:
        raise loss
    return exit_code_on_release(results)


def _variables(held: HeldLocks) -> dict[str, str]:
    """Return the variables of the command: one line per lock, in their order."""
    leases = [one.acquired.lease for one in held.locks]
    return {
        "GCS_CI_LOCK_TOKEN": "\n".join(str(lease.token) for lease in leases),
        "GCS_CI_LOCK_LEASE": "\n".join(lease.id for lease in leases),
        "GCS_CI_LOCK_NAME": "\n".join(one.name for one in held.locks),
    }


def _ignore(_: LeaseRef) -> None:
    return
