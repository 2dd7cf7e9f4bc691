"""What `run` and `hold` do once they have their locks: keep them, watch them, give them back."""

import os
from collections.abc import Sequence

from gcs_ci_lock.cli.acquire import acquire, requests_of, verifier_for
from gcs_ci_lock.cli.options import Asking
from gcs_ci_lock.errors import LeaseLost, LockError
from gcs_ci_lock.keepalive.held import Held, first_loss, give_back, take_all, while_kept
from gcs_ci_lock.keepalive.lease_ref import Handover
from gcs_ci_lock.keepalive.thread import LOOK_EVERY
from gcs_ci_lock.locking.lease import Lost
from gcs_ci_lock.locking.outcome import Stopped
from gcs_ci_lock.locking.request import LockRequest
from gcs_ci_lock.ports import Stop
from gcs_ci_lock.system.child import Command, Finished
from gcs_ci_lock.system.clock import SignalStop
from gcs_ci_lock.system.console import say

KEPT_HERE = "this process"


def run_command(asking: Asking, argv: Sequence[str]) -> int:
    """Acquire the locks, run the command, release; return the exit code.

    Raises:
        LeaseLost: a lease was lost and the command stopped.
        LockError: whatever else went wrong.
    """
    stop = SignalStop()
    held = _take(asking, stop)
    if held is None:
        return stop.exit_code
    if stop.is_set():
        give_back(held, say)
        return stop.exit_code
    # A machine that was suspended since the grant must not begin.
    _end_if_lost(held)
    try:
        # While no thread of ours runs: what runs between fork and exec must not meet a lock.
        command = Command(argv, {**os.environ, **_variables(held)})
    except LockError:
        give_back(held, say)
        raise

    def work() -> Finished | Lost:
        return command.supervise(
            lambda: next((lost for one in held if (lost := one.lost()) is not None), None),
            clock=held[0].lock.clock,
            kill_within=held[0].request.timing.margin,
            pending=lambda: stop.number,
        )

    finished = while_kept(held, work)
    _end_if_lost(held)
    # The command may have ended before anybody noticed; another may have run beside it.
    if (gone := give_back(held, say)) is not None:
        raise gone
    return finished.exit_code if isinstance(finished, Finished) else LeaseLost.exit_code


def hold_locks(asking: Asking) -> int:
    """Acquire the locks and keep them until a signal; return the exit code.

    Raises:
        LeaseLost: a lease was lost.
        LockError: whatever else went wrong.
    """
    stop = SignalStop()
    held = _take(asking, stop)
    if held is None:
        return stop.exit_code

    def work() -> None:
        while not stop.wait(LOOK_EVERY) and first_loss(held) is None:
            pass

    while_kept(held, work)
    _end_if_lost(held)
    if (gone := give_back(held, say)) is not None:
        raise gone
    return 0


def _take(asking: Asking, stop: SignalStop) -> list[Held] | None:
    verifier = verifier_for(asking)

    def take(request: LockRequest, until: Stop) -> Held | None:
        one = acquire(
            asking, request, until, verifier=verifier, kept_by=KEPT_HERE, announce=_ignore
        )
        return None if isinstance(one, Stopped) else one

    return take_all(requests_of(asking), stop, take, say=say)


def _end_if_lost(held: Sequence[Held]) -> None:
    if (loss := first_loss(held)) is not None:
        give_back(held, say)
        raise loss


def _variables(held: Sequence[Held]) -> dict[str, str]:
    """Return what the command is told; of several locks one a line, in their order."""
    tenures = [one.acquired.tenure for one in held]
    return {
        "GCS_CI_LOCK_TOKEN": "\n".join(str(tenure.token) for tenure in tenures),
        "GCS_CI_LOCK_LEASE": "\n".join(tenure.lease for tenure in tenures),
        "GCS_CI_LOCK_NAME": "\n".join(one.name for one in held),
    }


def _ignore(_: Handover) -> None:
    return
