"""`mode: hold`: the step itself keeps the leases, until it is told to stop."""

from collections.abc import Sequence

from gcs_ci_lock.action.end_lease import report_loss
from gcs_ci_lock.action.outputs import report_acquired
from gcs_ci_lock.action.taken import Taken
from gcs_ci_lock.keepalive.held import first_loss, release_all, renewed_while
from gcs_ci_lock.keepalive.thread import LOOK_EVERY
from gcs_ci_lock.platforms.github import GitHubStep
from gcs_ci_lock.ports import Stop
from gcs_ci_lock.protocol.duration import format_duration
from gcs_ci_lock.report.messages import lease_lost


def stay(step: GitHubStep, taken: Sequence[Taken], stop: Stop) -> int:
    """Keep the leases until the stop or a loss, then release them; return the exit code.

    Args:
        step: speaks to the runner.
        taken: at least one.
        stop: ends it.

    Raises:
        LeaseLost: one turned out not to be ours when it was to be released.
    """
    beat = format_duration(taken[0].request.timing.renew_every or 0.0)
    report_acquired(step, taken, f"renewed every {beat} by this step until it is cancelled")

    def work() -> None:
        while not stop.wait(LOOK_EVERY) and first_loss(taken) is None:
            pass

    renewed_while(taken, work)
    states = [(one, one.lost()) for one in taken]
    losses = [(one, lost) for one, lost in states if lost is not None]
    # What is lost may be another's by now, unless it was only held for too long.
    ours = [one for one, lost in states if lost is None or lost.max_hold_over]
    gone = release_all(ours, step.say)
    if losses:
        one, lost = losses[0]
        loss = lease_lost(one.name, lost)
        lease_ref, job = one.charge.lease_ref, one.charge.job
        return report_loss(step, lease_ref, loss, job=job, cancelled=False)
    if gone is not None:
        raise gone
    return 0
