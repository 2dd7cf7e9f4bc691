"""What `run` and `hold` do once they have their locks: keep them, watch them, give them back."""

import os
from collections.abc import Sequence

from gcs_ci_lock.cli.acquire import acquire_lock, requests_of, verifier_for
from gcs_ci_lock.cli.options import AcquireOptions
from gcs_ci_lock.errors import LeaseLost, LockError
from gcs_ci_lock.keepalive.held import HeldLock, acquire_all, first_loss, release_all, renewed_while
from gcs_ci_lock.keepalive.lease_ref import LeaseRef
from gcs_ci_lock.keepalive.thread import LOOK_EVERY
from gcs_ci_lock.locking.lease import Lost
from gcs_ci_lock.locking.outcome import Stopped
from gcs_ci_lock.locking.request import LockRequest
from gcs_ci_lock.ports import Stop
from gcs_ci_lock.system.child import Child, ChildExited
from gcs_ci_lock.system.console import print_err
from gcs_ci_lock.system.signals import SignalStop

KEPT_HERE = "this process"


def run_command(options: AcquireOptions, argv: Sequence[str]) -> int:
    """Acquire the locks, run the command, release; return the exit code.

    Raises:
        LeaseLost: a lease was lost and the command stopped.
        LockError: whatever else went wrong.
    """
    stop = SignalStop.installed()
    held = _take(options, stop)
    if held is None:
        return stop.exit_code
    if stop.is_set():
        release_all(held, print_err)
        return stop.exit_code
    # A machine that was suspended since the grant must not begin.
    _end_if_lost(held)
    try:
        # While no thread of ours runs: what runs between fork and exec must not meet a lock.
        command = Child.start(argv, {**os.environ, **_variables(held)})
    except LockError:
        release_all(held, print_err)
        raise

    def work() -> ChildExited | Lost:
        return command.supervise(
            lambda: next((lost for one in held if (lost := one.lost()) is not None), None),
            clock=held[0].lock.clock,
            kill_within=held[0].request.timing.margin,
            pending=lambda: stop.number,
        )

    finished = renewed_while(held, work)
    _end_if_lost(held)
    # The command may have ended before anybody noticed; another may have run beside it.
    if (gone := release_all(held, print_err)) is not None:
        raise gone
    return finished.exit_code if isinstance(finished, ChildExited) else LeaseLost.exit_code


def hold_locks(options: AcquireOptions) -> int:
    """Acquire the locks and keep them until a signal; return the exit code.

    Raises:
        LeaseLost: a lease was lost.
        LockError: whatever else went wrong.
    """
    stop = SignalStop.installed()
    held = _take(options, stop)
    if held is None:
        return stop.exit_code

    def work() -> None:
        while not stop.wait(LOOK_EVERY) and first_loss(held) is None:
            pass

    renewed_while(held, work)
    _end_if_lost(held)
    if (gone := release_all(held, print_err)) is not None:
        raise gone
    return 0


def _take(options: AcquireOptions, stop: SignalStop) -> list[HeldLock] | None:
    verifier = verifier_for(options)

    def take(request: LockRequest, until: Stop) -> HeldLock | None:
        one = acquire_lock(
            options, request, until, verifier=verifier, kept_by=KEPT_HERE, announce=_ignore
        )
        return None if isinstance(one, Stopped) else one

    return acquire_all(requests_of(options), stop, take, say=print_err)


def _end_if_lost(held: Sequence[HeldLock]) -> None:
    if (loss := first_loss(held)) is not None:
        release_all(held, print_err)
        raise loss


def _variables(held: Sequence[HeldLock]) -> dict[str, str]:
    """Return what the command is told; of several locks one a line, in their order."""
    tenures = [one.acquired.lease for one in held]
    return {
        "GCS_CI_LOCK_TOKEN": "\n".join(str(lease.token) for lease in tenures),
        "GCS_CI_LOCK_LEASE": "\n".join(lease.id for lease in tenures),
        "GCS_CI_LOCK_NAME": "\n".join(one.name for one in held),
    }


def _ignore(_: LeaseRef) -> None:
    return
