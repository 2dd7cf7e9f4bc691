"""`mode: release`: release the leases of this job before it ends."""

from collections.abc import Callable

from gcs_ci_lock.action.end_lease import OpenLease, end_job_lease, report_loss
from gcs_ci_lock.action.state import StepState, leases_of_job
from gcs_ci_lock.keepalive.sidecar.engine import Engine
from gcs_ci_lock.keepalive.sidecar.messages import KeeperSpec
from gcs_ci_lock.platforms.github import GitHubStep
from gcs_ci_lock.report.messages import not_released_line, released_line


def release(
    step: GitHubStep,
    *,
    state: StepState,
    engine: Callable[[], Engine],
    open_lease: OpenLease,
) -> int:
    """Release the leases of this job, the last one first; return the exit code.

    Args:
        step: its input `name` may name the locks.
        state: where the steps of this job saved their leases.
        engine: connects to the Docker engine; raises SidecarUnavailable.
        open_lease: opens the lock of a lease.

    Raises:
        NotAcquired: this job holds no such lock.
    """

    def release_one(spec: KeeperSpec) -> int:
        lease_ref = spec.lease_ref
        ending = end_job_lease(step, lease_ref, spec, engine=engine, open_lease=open_lease)
        if ending.error is not None and ending.loss is None:
            ttl = lease_ref.timing.ttl
            step.error(not_released_line(lease_ref.name, ending.error, ttl=ttl))
            return ending.error.exit_code
        if (loss := ending.loss_of(lease_ref)) is not None:
            return report_loss(
                step,
                loss,
                on_lost=lease_ref.on_lost,
                job=spec.job,
                cancelled=ending.run_cancelled,
            )
        state.discard_everywhere(spec)
        step.log(released_line(lease_ref.name, lease_ref.token))
        return 0

    codes = [release_one(spec) for spec in reversed(leases_of_job(step, state))]
    return next((code for code in codes if code), 0)
