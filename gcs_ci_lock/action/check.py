"""`mode: check`: fail if a lease of this job is lost."""

from collections.abc import Callable

from gcs_ci_lock.action.end_lease import OpenLease, inspect_keeper
from gcs_ci_lock.action.state import StepState, leases_of_job
from gcs_ci_lock.errors import LockError
from gcs_ci_lock.keepalive.adopted import check_lease
from gcs_ci_lock.keepalive.sidecar.engine import Engine
from gcs_ci_lock.keepalive.sidecar.messages import KeeperSpec
from gcs_ci_lock.locking.lease import Lost
from gcs_ci_lock.platforms.github import GitHubStep
from gcs_ci_lock.report.messages import lease_lost


def check(
    step: GitHubStep,
    *,
    state: StepState,
    engine: Callable[[], Engine],
    open_lease: OpenLease,
) -> int:
    """Check the leases of this job; return the exit code.

    Args:
        step: its input `name` may name the locks.
        state: where the steps of this job saved their leases.
        engine: connects to the Docker engine; raises SidecarUnavailable.
        open_lease: opens the lock of a lease.

    Raises:
        LeaseLost: a keeper reported the loss or is gone, or the lease is not in the record.
        NotAcquired: this job holds no such lock.
        LockError: the record cannot be read.
    """
    for spec in leases_of_job(step, state):
        lease_ref = spec.lease_ref
        if (lost := _loss(step, spec, engine, open_lease)) is not None:
            step.set_output("outcome", "lost")
            raise lease_lost(lease_ref.name, lost)
        step.log(f'Lock "{lease_ref.name}" is held: fencing token {lease_ref.token}')
    return 0


def _loss(
    step: GitHubStep, spec: KeeperSpec, engine: Callable[[], Engine], open_lease: OpenLease
) -> Lost | None:
    """Return how a lease was lost; the record takes precedence, because it names the new holder."""
    lease_ref = spec.lease_ref
    _, known = inspect_keeper(step, lease_ref, engine=engine)
    connection, lock = open_lease(lease_ref, pinned=spec.credentials)
    try:
        by_record = check_lease(lock, lease_ref, random=connection.random)
    except LockError:
        if known is None:
            raise
        return known
    if by_record is not None and by_record.ended is not None:
        return by_record
    return known or by_record
