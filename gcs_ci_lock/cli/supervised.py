"""What `run` and `hold` do once they have the lock: keep it, watch it, give it back."""

import os
from collections.abc import Callable, Sequence
from typing import TypeVar

from gcs_ci_lock.cli.common import Held, acquire
from gcs_ci_lock.cli.options import Asking
from gcs_ci_lock.clock import SignalStop
from gcs_ci_lock.command import Command, Finished
from gcs_ci_lock.core.handover import Handover
from gcs_ci_lock.core.loss import Lost, taken_away
from gcs_ci_lock.core.outcome import Stopped
from gcs_ci_lock.errors import LeaseLost, LockError
from gcs_ci_lock.handed import release
from gcs_ci_lock.lock import Released
from gcs_ci_lock.minding import Minding
from gcs_ci_lock.output import say
from gcs_ci_lock.report.lines import lease_lost, released_line

KEPT_HERE = "this process"

_T = TypeVar("_T")


def run_command(asking: Asking, argv: Sequence[str]) -> int:
    """Acquire the lock, run the command, release; return the exit code.

    Raises:
        LeaseLost: the lease was lost and the command stopped.
        LockError: whatever else went wrong.
    """
    stop = SignalStop()
    held = acquire(asking, stop, kept_by=KEPT_HERE, announce=_ignore)
    if isinstance(held, Stopped):
        return stop.exit_code
    tenure = held.acquired.tenure
    environ = {
        **os.environ,
        "GCS_CI_LOCK_TOKEN": str(tenure.token),
        "GCS_CI_LOCK_LEASE": tenure.lease,
        "GCS_CI_LOCK_NAME": held.request.paths.name,
    }

    def work(minding: Minding) -> Finished | Lost:
        return command.supervise(
            minding.keeper.lost,
            clock=held.connection.clock,
            kill_within=tenure.timing.margin,
            pending=lambda: stop.number,
        )

    if stop.is_set():
        _give_back(held)
        return stop.exit_code
    # A machine that was suspended since the grant must not begin.
    if (lost := held.keeper().lost()) is not None:
        _give_back(held)
        raise _loss(held, lost)
    try:
        # Before any thread is started: what runs between fork and exec must not meet a lock.
        command = Command(argv, environ)
    except LockError:
        _give_back(held)
        raise
    finished = _while_kept(held, work)
    gone = _give_back(held)
    if isinstance(finished, Lost):
        raise _loss(held, finished)
    if gone is not None:
        # The command ended before anybody noticed; another may have run beside it.
        raise _loss(held, gone)
    return finished.exit_code


def hold_lock(asking: Asking) -> int:
    """Acquire the lock and keep it until a signal; return the exit code.

    Raises:
        LeaseLost: the lease was lost.
        LockError: whatever else went wrong.
    """
    stop = SignalStop()
    held = acquire(asking, stop, kept_by=KEPT_HERE, announce=_ignore)
    if isinstance(held, Stopped):
        return stop.exit_code

    lost = _while_kept(held, lambda minding: minding.until(stop))
    gone = _give_back(held)
    lost = lost or gone
    if lost is not None:
        raise _loss(held, lost)
    return 0


def _while_kept(held: Held, work: Callable[[Minding], _T]) -> _T:
    """Renew the lease in a thread while something else is done in this one."""
    minding = Minding(held.keeper())
    try:
        with minding:
            return work(minding)
    finally:
        held.renewing = minding.hangs


def _give_back(held: Held) -> Lost | None:
    """Release the lease, and say so; or tell that it was not ours any more."""
    name = held.request.paths.name
    tenure = held.acquired.tenure
    if held.renewing:
        # Two writes of one lease are never in flight together.
        say(f'Lock "{name}" was not released: a renewal hangs. Its lease ends by itself.')
        return None
    try:
        result = release(held.lock, tenure.lease, chance=held.connection.chance)
    except LockError as error:
        say(f'Lock "{name}" could not be released: {error}. Its lease ends by itself.')
        return None
    if isinstance(result, Released):
        say(released_line(name, tenure.token))
        return None
    return taken_away(tenure.token, result)


def _loss(held: Held, lost: Lost) -> LeaseLost:
    return lease_lost(held.request.paths.name, lost)


def _ignore(_: Handover) -> None:
    return
