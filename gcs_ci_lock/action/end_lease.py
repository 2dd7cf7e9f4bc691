"""Ending the lease of a job from one of its own steps, and telling how it was.

The record first, then the keeper: a lease that its job has released is no loss to its keeper, and
one that the keeper gave back by itself is a loss to the job.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from gcs_ci_lock.errors import LeaseLost, LockError
from gcs_ci_lock.keepalive import sidecar
from gcs_ci_lock.keepalive.adopted import end_lease, overdue
from gcs_ci_lock.keepalive.ending import (
    RecordReplaced,
    how_it_ended,
    loss_before_release,
    release_note,
)
from gcs_ci_lock.keepalive.lease_ref import LeaseRef
from gcs_ci_lock.keepalive.sidecar import KeeperContainer, KeeperOutput, SidecarUnavailable
from gcs_ci_lock.keepalive.sidecar.messages import KeeperSpec, KeeperStatus
from gcs_ci_lock.locking.client import LockClient, Released
from gcs_ci_lock.locking.lease import Lost
from gcs_ci_lock.platforms.github import GitHubStep
from gcs_ci_lock.platforms.github_api import GitHubApi
from gcs_ci_lock.platforms.github_job import GitHubJob
from gcs_ci_lock.ports import Clock
from gcs_ci_lock.report.messages import lease_lost
from gcs_ci_lock.wiring import Connection, open_lease

MOST_SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseEnding:
    """How a lease ended.

    Attributes:
        verdict: how it was lost; None: it was not.
        news: the last that its keeper said, or None.
        held: seconds since the grant, or None if that is not known.
        error: why it could not be released; it ends by itself then.
    """

    loss: Lost | RecordReplaced | None
    status: KeeperStatus | None = None
    held: float | None = None
    error: LockError | None = None


def end_job_lease(
    step: GitHubStep,
    lease_ref: LeaseRef,
    spec: KeeperSpec | None,
    *,
    environ: Mapping[str, str],
    clock: Clock,
) -> LeaseEnding:
    """Release what is still ours, and end its keeper.

    Args:
        step: is told what the keeper said.
        lease_ref: the lease.
        spec: how to go on with it, or None.
        environ: where the engine, and credentials without a charge, are looked up.
        clock: for waiting.
    """
    keeping, known = inspect_keeper(step, lease_ref, environ=environ, clock=clock)
    try:
        pinned = spec.credentials if spec else None
        connection, lock = open_lease(lease_ref, environ=environ, pinned=pinned)
        lost, held = _release(connection, lock, lease_ref, known)
    except LockError as error:
        return LeaseEnding(loss=known, status=_stopped(step, keeping), error=error)
    return LeaseEnding(loss=lost, status=_stopped(step, keeping), held=held)


def inspect_keeper(
    step: GitHubStep, lease_ref: LeaseRef, *, environ: Mapping[str, str], clock: Clock
) -> tuple[KeeperContainer | None, Lost | None]:
    """Return the lease's keeper, and the loss that is known without asking the record."""
    if lease_ref.keeper != "sidecar":
        return None, None
    try:
        keeping = sidecar.connect(environ, clock).find_keeper(lease_ref.lease)
    except SidecarUnavailable as refusal:
        step.warning(f"The keeper of the lease cannot be reached: {refusal}")
        return None, None
    status = keeping.output().status if keeping else None
    gone = lease_ref.token > 0 and (keeping is None or not keeping.runs)
    return keeping, loss_before_release(lease_ref, status, gone=gone)


def report_loss(
    step: GitHubStep,
    lease_ref: LeaseRef,
    lost: LeaseLost,
    *,
    job: GitHubJob | None,
    cancelled: bool,
) -> int:
    """Tell a loss as `on-lost` wants it; return the exit code.

    Args:
        step: speaks to the runner.
        lease_ref: the lease.
        lost: what is to be told.
        job: how its run is cancelled, or None.
        cancelled: whether the keeper has done that already.
    """
    if lease_ref.on_lost == "warn":
        step.warning(str(lost))
        return 0
    step.error(str(lost))
    if lease_ref.on_lost == "cancel" and not cancelled and job is not None:
        try:
            GitHubApi(job).cancel_run()
        except LockError as error:
            step.warning(str(error))
    return lost.exit_code


def loss_of(ending: LeaseEnding, lease_ref: LeaseRef) -> LeaseLost | None:
    """Return the error that tells of a loss, or None if there was none."""
    lost = ending.loss
    if lost is None:
        return None
    return lease_lost(lease_ref.name, lost.lost if isinstance(lost, RecordReplaced) else lost)


def _release(
    connection: Connection, lock: LockClient, lease_ref: LeaseRef, known: Lost | None
) -> tuple[Lost | RecordReplaced | None, float]:
    if known is None and lease_ref.token:
        # Valid to this moment? A lease that nobody renewed may have run out long ago.
        known = overdue(lock, lease_ref, random=connection.random)
    result = end_lease(lock, lease_ref, random=connection.random, note=release_note(known))
    held = lock.now().earliest - lease_ref.granted_at
    return how_it_ended(
        lease_ref, known, result.ended if isinstance(result, Released) else result
    ), held


def _stopped(step: GitHubStep, keeping: KeeperContainer | None) -> KeeperStatus | None:
    if keeping is None:
        return None
    heard: KeeperOutput = keeping.stop()
    if heard.lines:
        step.group("What the keeper said", heard.lines[-MOST_SHOWN:])
    return heard.status
