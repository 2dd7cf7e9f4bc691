"""Ending the lease of a job from one of its own steps, and telling how it was.

The record first, then the keeper: a lease that its job has released is no loss to its keeper, and
one that the keeper gave back by itself is a loss to the job.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from gcs_ci_lock.errors import LeaseLost, LockError
from gcs_ci_lock.keepalive import sidecar
from gcs_ci_lock.keepalive.ending import Stranger, loss_known, note_of, verdict
from gcs_ci_lock.keepalive.handed import end, overdue
from gcs_ci_lock.keepalive.lease_ref import Handover
from gcs_ci_lock.keepalive.sidecar import Heard, Keeping, NoSidecar
from gcs_ci_lock.keepalive.sidecar.messages import Charge, News
from gcs_ci_lock.locking.client import Lock, Released
from gcs_ci_lock.locking.lease import Lost
from gcs_ci_lock.platforms.github import GitHubStep
from gcs_ci_lock.platforms.github_api import GitHubApi
from gcs_ci_lock.platforms.github_job import JobAccess
from gcs_ci_lock.ports import Clock
from gcs_ci_lock.report.messages import lease_lost
from gcs_ci_lock.wiring import Connection, open_handed

MOST_SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a lease ended.

    Attributes:
        verdict: how it was lost; None: it was not.
        news: the last that its keeper said, or None.
        held: seconds since the grant, or None if that is not known.
        error: why it could not be released; it ends by itself then.
    """

    verdict: Lost | Stranger | None
    news: News | None = None
    held: float | None = None
    error: LockError | None = None


def end_lease(
    step: GitHubStep,
    handover: Handover,
    charge: Charge | None,
    *,
    environ: Mapping[str, str],
    clock: Clock,
) -> Ending:
    """Release what is still ours, and end its keeper.

    Args:
        step: is told what the keeper said.
        handover: the lease.
        charge: how to go on with it, or None.
        environ: where the engine, and credentials without a charge, are looked up.
        clock: for waiting.
    """
    keeping, known = seen_from_outside(step, handover, environ=environ, clock=clock)
    try:
        pinned = charge.pinned if charge else None
        connection, lock = open_handed(handover, environ=environ, pinned=pinned)
        lost, held = _release(connection, lock, handover, known)
    except LockError as error:
        return Ending(verdict=known, news=_stopped(step, keeping), error=error)
    return Ending(verdict=lost, news=_stopped(step, keeping), held=held)


def seen_from_outside(
    step: GitHubStep, handover: Handover, *, environ: Mapping[str, str], clock: Clock
) -> tuple[Keeping | None, Lost | None]:
    """Return the lease's keeper, and the loss that is known without asking the record."""
    if handover.keeper != "sidecar":
        return None, None
    try:
        keeping = sidecar.connect(environ, clock).keeper(handover.lease)
    except NoSidecar as refusal:
        step.warning(f"The keeper of the lease cannot be reached: {refusal}")
        return None, None
    news = keeping.heard().news if keeping else None
    gone = handover.token > 0 and (keeping is None or not keeping.runs)
    return keeping, loss_known(handover, news, gone=gone)


def tell_loss(
    step: GitHubStep, handover: Handover, lost: LeaseLost, *, job: JobAccess | None, cancelled: bool
) -> int:
    """Tell a loss as `on-lost` wants it; return the exit code.

    Args:
        step: speaks to the runner.
        handover: the lease.
        lost: what is to be told.
        job: how its run is cancelled, or None.
        cancelled: whether the keeper has done that already.
    """
    if handover.on_lost == "warn":
        step.warning(str(lost))
        return 0
    step.error(str(lost))
    if handover.on_lost == "cancel" and not cancelled and job is not None:
        try:
            GitHubApi(job).cancel_run()
        except LockError as error:
            step.warning(str(error))
    return lost.exit_code


def loss_of(ending: Ending, handover: Handover) -> LeaseLost | None:
    """Return the error that tells of a loss, or None if there was none."""
    lost = ending.verdict
    if lost is None:
        return None
    return lease_lost(handover.name, lost.lost if isinstance(lost, Stranger) else lost)


def _release(
    connection: Connection, lock: Lock, handover: Handover, known: Lost | None
) -> tuple[Lost | Stranger | None, float]:
    if known is None and handover.token:
        # Valid to this moment? A lease that nobody renewed may have run out long ago.
        known = overdue(lock, handover, chance=connection.chance)
    result = end(lock, handover, chance=connection.chance, note=note_of(known))
    held = lock.now().earliest - handover.granted_at
    return verdict(handover, known, result.ended if isinstance(result, Released) else result), held


def _stopped(step: GitHubStep, keeping: Keeping | None) -> News | None:
    if keeping is None:
        return None
    heard: Heard = keeping.stop()
    if heard.lines:
        step.group("What the keeper said", heard.lines[-MOST_SHOWN:])
    return heard.news
