"""The post stage: release the leases that are still ours, stop their keepers, and report."""

from collections.abc import Callable

from gcs_ci_lock.action.end_lease import LeaseEnding, OpenLease, end_job_lease, report_loss
from gcs_ci_lock.action.outputs import report_end
from gcs_ci_lock.action.state import StepState
from gcs_ci_lock.errors import LeaseLost, UsageError
from gcs_ci_lock.keepalive.ending import RecordReplaced
from gcs_ci_lock.keepalive.lease_ref import LeaseRef
from gcs_ci_lock.keepalive.sidecar.engine import Engine
from gcs_ci_lock.keepalive.sidecar.errors import SidecarUnavailable
from gcs_ci_lock.keepalive.sidecar.keeper_container import KeeperContainer
from gcs_ci_lock.keepalive.sidecar.messages import KeeperSpec
from gcs_ci_lock.platforms.github import GitHubStep
from gcs_ci_lock.ports import Random
from gcs_ci_lock.protocol.duration import format_duration
from gcs_ci_lock.report.messages import not_released_line, released_line


def post(
    step: GitHubStep,
    *,
    state: StepState,
    event_path: str,
    engine: Callable[[], Engine],
    open_lease: OpenLease,
    random: Random,
) -> int:
    """Release exactly the leases of our own main stage; return the exit code.

    Reads no inputs: inside a composite action they may belong to another step.

    Args:
        step: writes for the runner.
        state: what the main stage saved.
        event_path: the runner's event file, or "".
        engine: connects to the Docker engine; raises SidecarUnavailable.
        open_lease: opens the lock of a lease.
        random: for a name that no other container has.

    Raises:
        UsageError: the saved state is damaged, and no keeper is found.
    """

    def keepers() -> list[KeeperContainer]:
        connected = engine()
        own = connected.own_container(mark=random.lease_id(), event=event_path)
        return connected.find_keepers_of_step(state.step_id, own)

    try:
        lease_refs = _leases_left(step, state)
    except UsageError as damaged:
        return _release_by_label(step, keepers, damaged)
    if not lease_refs:
        return _nothing(step) if state.is_known_empty else _release_by_label(step, keepers, None)
    codes = []
    for lease_ref in reversed(lease_refs):
        spec = _spec_left(step, state, lease_ref)
        ending = end_job_lease(step, lease_ref, spec, engine=engine, open_lease=open_lease)
        codes.append(_report(step, lease_ref, spec, ending))
        if lease_ref.token:
            report_end(step, lease_ref, _outcome(ending), _rows(lease_ref, ending))
    return next((code for code in codes if code), 0)


def _leases_left(step: GitHubStep, state: StepState) -> list[LeaseRef]:
    try:
        return state.lease_refs()
    except UsageError as damaged:
        lease_refs = state.lease_refs_in_files()
        if not lease_refs:
            raise
        step.warning(str(damaged))
        return lease_refs


def _spec_left(step: GitHubStep, state: StepState, lease_ref: LeaseRef) -> KeeperSpec | None:
    """Return what the main stage saved in the lease's file, or None if it is damaged."""
    try:
        return state.keeper_spec(lease_ref)
    except UsageError as damaged:
        step.warning(str(damaged))
        return None


def _release_by_label(
    step: GitHubStep, keepers: Callable[[], list[KeeperContainer]], damaged: UsageError | None
) -> int:
    """Stop the keepers whose leases are not in the saved state; they release them.

    Raises:
        UsageError: there are none, and the saved state is damaged.
    """
    found: list[KeeperContainer] = []
    try:
        found = keepers()
    except SidecarUnavailable as error:
        if damaged is not None:
            step.warning(f"The keeper of the lease cannot be reached: {error}")
    if not found and damaged is not None:
        raise damaged
    if not found:
        return _nothing(step)
    if damaged is not None:
        step.warning(str(damaged))
    codes = [_let_release(step, container) for container in found]
    return next((code for code in codes if code), 0)


def _let_release(step: GitHubStep, container: KeeperContainer) -> int:
    status = container.stop().status
    if status is not None and status.phase == "released":
        step.log(f"Released the lock of lease {container.lease}, by its keeper")
        return 0
    reason = status.reason if status else "it printed nothing"
    step.error(f"The keeper of lease {container.lease} did not release it: {reason}")
    return LeaseLost.exit_code


def _nothing(step: GitHubStep) -> int:
    step.log("Nothing to release: this step holds no lock")
    return 0


def _report(
    step: GitHubStep, lease_ref: LeaseRef, spec: KeeperSpec | None, ending: LeaseEnding
) -> int:
    code = 0
    if ending.error is not None:
        step.error(not_released_line(lease_ref.name, ending.error, ttl=lease_ref.timing.ttl))
        code = ending.error.exit_code
    loss = ending.loss_of(lease_ref)
    if loss is None:
        if ending.error is None and lease_ref.token:
            step.log(released_line(lease_ref.name, lease_ref.token))
        elif ending.error is None:
            step.log(f'Nothing to release: lock "{lease_ref.name}" was not acquired')
        return code
    if isinstance(ending.loss, RecordReplaced):
        # A person deleted the record; the job did nothing wrong.
        step.warning(str(loss))
        return code
    job = spec.job if spec else None
    reported = report_loss(
        step, loss, on_lost=lease_ref.on_lost, job=job, cancelled=ending.run_cancelled
    )
    return reported or code


def _outcome(ending: LeaseEnding) -> str:
    if isinstance(ending.loss, RecordReplaced):
        return "not ours any more"
    if ending.loss is not None:
        return "lost"
    return "not released" if ending.error else "released"


def _rows(lease_ref: LeaseRef, ending: LeaseEnding) -> list[tuple[str, str]]:
    rows = [("fencing token", str(lease_ref.token))]
    if ending.held is not None:
        rows.insert(0, ("held", format_duration(ending.held)))
    if lease_ref.keeper == "sidecar":
        status = ending.status
        renewals = str(status.beats) if status else "unknown"
        missed = str(status.missed) if status else "unknown"
        rows += [("renewals", renewals), ("missed renewals", missed)]
    return rows
