"""End the lease of a job from one of its own steps; shared by `release` and `post`.

First release, then stop the keeper: a keeper whose lease the job has released has no loss to
report, and a keeper that has released the lease itself means a loss for the job.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from gcs_ci_lock.errors import LeaseLost, LockError
from gcs_ci_lock.keepalive.adopted import end_lease, overdue
from gcs_ci_lock.keepalive.ending import RecordReplaced, how_it_ended, loss_before_release
from gcs_ci_lock.keepalive.lease_ref import LeaseRef, OnLost
from gcs_ci_lock.keepalive.sidecar.engine import Engine
from gcs_ci_lock.keepalive.sidecar.errors import SidecarUnavailable
from gcs_ci_lock.keepalive.sidecar.keeper_container import KeeperContainer
from gcs_ci_lock.keepalive.sidecar.messages import KeeperSpec, KeeperStatus
from gcs_ci_lock.locking.client import LockClient
from gcs_ci_lock.locking.lease import Lost
from gcs_ci_lock.locking.outcome import Released
from gcs_ci_lock.platforms.github import GitHubStep
from gcs_ci_lock.platforms.github_api import GitHubClient
from gcs_ci_lock.platforms.github_job import GitHubJob
from gcs_ci_lock.report.messages import lease_lost
from gcs_ci_lock.storage.pinned import PinnedCredentials
from gcs_ci_lock.wiring import Connection

MAX_LINES_SHOWN = 20


class OpenLease(Protocol):
    """Opens the lock of a lease that another process acquired: `wiring.open_lease`."""

    def __call__(
        self, lease_ref: LeaseRef, *, pinned: PinnedCredentials | None
    ) -> tuple[Connection, LockClient]:
        """Return the connection and the lock; see `wiring.open_lease`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseEnding:
    """How a lease ended.

    Attributes:
        loss: how it was lost; None: it was not.
        status: the last status of its keeper, or None.
        held: seconds since the grant, or None if not known.
        error: why it could not be released, or None; it expires by itself then.
    """

    loss: Lost | RecordReplaced | None
    status: KeeperStatus | None = None
    held: float | None = None
    error: LockError | None = None

    @property
    def run_cancelled(self) -> bool:
        """Whether the keeper has reported the loss itself, and cancelled the run if configured."""
        return self.status is not None and self.status.phase == "lost"

    def loss_of(self, lease_ref: LeaseRef) -> LeaseLost | None:
        """Return the error that reports the loss, or None if there was none."""
        loss = self.loss.lost if isinstance(self.loss, RecordReplaced) else self.loss
        return lease_lost(lease_ref.name, loss) if loss is not None else None


def end_job_lease(
    step: GitHubStep,
    lease_ref: LeaseRef,
    spec: KeeperSpec | None,
    *,
    engine: Callable[[], Engine],
    open_lease: OpenLease,
) -> LeaseEnding:
    """Release what is still ours, and stop its keeper.

    Args:
        step: shows the keeper's last lines.
        lease_ref: the lease.
        spec: what the main stage saved for it, or None.
        engine: connects to the Docker engine; raises SidecarUnavailable.
        open_lease: opens the lock.
    """
    container, known = inspect_keeper(step, lease_ref, engine=engine)
    try:
        connection, lock = open_lease(lease_ref, pinned=spec.credentials if spec else None)
        if known is None and lease_ref.token:
            # A lease that nothing renewed may have expired long ago.
            known = overdue(lock, lease_ref, random=connection.random)
        result = end_lease(lock, lease_ref, random=connection.random, loss=known)
        held = lock.now().earliest - lease_ref.granted_at
    except LockError as error:
        return LeaseEnding(loss=known, status=_stop(step, container), error=error)
    ended = result.ended if isinstance(result, Released) else result
    loss = how_it_ended(lease_ref, known, ended)
    return LeaseEnding(loss=loss, status=_stop(step, container), held=held)


def inspect_keeper(
    step: GitHubStep, lease_ref: LeaseRef, *, engine: Callable[[], Engine]
) -> tuple[KeeperContainer | None, Lost | None]:
    """Return the keeper of a lease, and the loss that is known without reading the record."""
    if lease_ref.keeper != "sidecar":
        return None, None
    try:
        container = engine().find_keeper(lease_ref.lease)
    except SidecarUnavailable as error:
        step.warning(f"The keeper of the lease cannot be reached: {error}")
        return None, None
    status = container.output().status if container else None
    gone = lease_ref.token > 0 and (container is None or not container.runs)
    return container, loss_before_release(lease_ref, status, gone=gone)


def report_loss(
    step: GitHubStep,
    lost: LeaseLost,
    *,
    on_lost: OnLost,
    job: GitHubJob | None,
    cancelled: bool,
) -> int:
    """Report a loss as `on-lost` says; return the exit code.

    Args:
        step: writes for the runner.
        lost: the loss.
        on_lost: fail, also cancel the run, or only warn.
        job: how to cancel the run, or None.
        cancelled: whether the keeper has cancelled it already.
    """
    if on_lost == "warn":
        step.warning(str(lost))
        return 0
    step.error(str(lost))
    if on_lost == "cancel" and not cancelled and job is not None:
        try:
            client = GitHubClient(api_url=job.api_url, token=job.token)
            client.cancel_run(job.repository, job.run_id)
        except LockError as error:
            step.warning(str(error))
    return lost.exit_code


def _stop(step: GitHubStep, container: KeeperContainer | None) -> KeeperStatus | None:
    if container is None:
        return None
    output = container.stop()
    if output.lines:
        step.group("Output of the keeper", output.lines[-MAX_LINES_SHOWN:])
    return output.status
