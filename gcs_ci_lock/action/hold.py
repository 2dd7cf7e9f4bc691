"""`mode: hold`: the step itself renews the leases until it is cancelled."""

from gcs_ci_lock.action.acquire import Acquirer
from gcs_ci_lock.action.end_lease import report_loss
from gcs_ci_lock.action.outputs import report_acquired
from gcs_ci_lock.keepalive.held import HeldLocks, exit_code_on_release, loss_on_release
from gcs_ci_lock.keepalive.thread import KeeperThread
from gcs_ci_lock.locking.outcome import Stopped
from gcs_ci_lock.protocol.duration import format_duration


def hold(acquirer: Acquirer) -> int | Stopped:
    """Acquire the locks, renew them until the stop or a loss, then release them.

    Returns:
        The exit code, or that the step was stopped before it acquired the locks.

    Raises:
        LockError: the locks could not be acquired; none is held then.
    """
    requests = acquirer.inputs.requests(renewed=True)
    held = acquirer.acquire(requests, "process", lambda _, keeper: KeeperThread(keeper))
    if not isinstance(held, HeldLocks):
        return held
    interval = format_duration(requests[0].timing.renew_every or 0.0)
    how = f"renewed every {interval} by this step until it is cancelled"
    report_acquired(acquirer.step, held.locks, how)
    held.wait(acquirer.stop)
    results = held.release()
    if (loss := loss_on_release(results)) is not None:
        inputs = acquirer.inputs
        code = report_loss(
            acquirer.step, loss, on_lost=inputs.on_lost, job=inputs.job, cancelled=False
        )
        if code:
            return code
    return exit_code_on_release(results)
