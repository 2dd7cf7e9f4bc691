"""`mode: acquire`: acquire the locks, and start what renews their leases."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gcs_ci_lock.action.inputs import ActionInputs
from gcs_ci_lock.action.outputs import (
    report_acquired,
    report_no_keepalive,
    report_obsolete,
    report_release,
    report_timeout,
    set_outputs,
)
from gcs_ci_lock.action.state import StepState
from gcs_ci_lock.errors import LockError, NotAcquired, UsageError
from gcs_ci_lock.keepalive import KeepAlive
from gcs_ci_lock.keepalive.held import HeldLock, HeldLocks, ReleaseResult
from gcs_ci_lock.keepalive.keeper import Keeper
from gcs_ci_lock.keepalive.lease_ref import KeeperKind, LeaseRef
from gcs_ci_lock.keepalive.no_keeper import NoKeeper
from gcs_ci_lock.keepalive.sidecar.engine import Engine
from gcs_ci_lock.keepalive.sidecar.errors import SidecarUnavailable
from gcs_ci_lock.keepalive.sidecar.launch import SidecarKeeper, SidecarLauncher
from gcs_ci_lock.keepalive.sidecar.messages import KeeperSpec
from gcs_ci_lock.locking.acquisition import Acquisition
from gcs_ci_lock.locking.lease import Lost
from gcs_ci_lock.locking.outcome import Acquired, Obsolete, Released, Stopped, TimedOut
from gcs_ci_lock.locking.request import LockRequest
from gcs_ci_lock.platforms.github import GitHubStep
from gcs_ci_lock.ports import Clock, Stop, Verifier
from gcs_ci_lock.protocol.duration import format_duration
from gcs_ci_lock.report.messages import lease_lost
from gcs_ci_lock.report.wait_log import WaitLog
from gcs_ci_lock.storage.pinned import PinnedCredentials
from gcs_ci_lock.system.clock import SystemRandom
from gcs_ci_lock.wiring import Connection

INSTEAD = (
    "Give the job's containers access to the runner's Docker engine, or use mode: hold in a "
    "background step."
)

KeepAliveFactory = Callable[[KeeperSpec, Keeper], KeepAlive]


@dataclass(frozen=True, slots=True, kw_only=True)
class Acquirer:
    """Acquires the locks of one step.

    Attributes:
        step: writes for the runner.
        inputs: of the step.
        state: what the step saves for its post stage.
        credentials: for a keeper in a sidecar.
        connect: connects to a bucket.
        verifier: finds out whether a holder's job is over.
        clock: for the wait's messages.
        stop: ends the wait.
    """

    step: GitHubStep
    inputs: ActionInputs
    state: StepState
    credentials: PinnedCredentials
    connect: Callable[[str], Connection]
    verifier: Verifier
    clock: Clock
    stop: Stop

    def acquire(
        self, requests: Sequence[LockRequest], kind: KeeperKind, keepalive: KeepAliveFactory
    ) -> HeldLocks | Stopped | int:
        """Acquire all locks, or report why that failed and return the exit code or the stop.

        Args:
            requests: in the order in which to acquire them.
            kind: what will renew the leases.
            keepalive: returns the keep-alive of one lease.

        Raises:
            LockError: they could not be acquired; none is held then.
        """

        def acquire_one(
            request: LockRequest, stop: Stop
        ) -> HeldLock | TimedOut | Obsolete | Stopped:
            return self._acquire_one(request, stop, kind, keepalive)

        try:
            outcome = HeldLocks.acquire(
                requests, self.stop, acquire_one, on_release=self.report_release
            )
            if isinstance(outcome, HeldLocks):
                _raise_if_reported_lost(outcome)
        except LockError:
            set_outputs(self.step, requests, {"acquired": "false"})
            raise
        match outcome:
            case TimedOut() | Obsolete():
                return 0 if self.inputs.on_timeout == "skip" else NotAcquired.exit_code
            case HeldLocks() if self.stop.is_set():
                # Acquired, but not wanted any more.
                outcome.release()
                return Stopped(waited=outcome.locks[-1].acquired.waited)
            case _:
                return outcome

    def report_release(self, held: HeldLock, result: ReleaseResult) -> None:
        """Print how a release ended, and discard the state of a lease that was released."""
        report_release(self.step, held, result)
        # The post stage reports a loss too.
        if isinstance(result, Released) or (isinstance(result, Lost) and result.max_hold_over):
            self.state.discard(held.name)

    def _acquire_one(
        self, request: LockRequest, stop: Stop, kind: KeeperKind, keepalive: KeepAliveFactory
    ) -> HeldLock | TimedOut | Obsolete | Stopped:
        connection = self.connect(request.paths.location.bucket)
        lock = connection.lock(request.paths, request.timing)
        name = request.paths.name

        def on_claim(lease: str) -> None:
            self.state.write(self._spec(request, lease, kind))

        acquisition = Acquisition(
            lock,
            request,
            random=connection.random,
            stop=stop,
            observer=WaitLog(self.step.group, clock=self.clock, on_claim=on_claim),
            verifier=self.verifier,
        )
        try:
            outcome = acquisition.run()
        except LockError:
            self._discard(acquisition, name)
            raise
        if isinstance(outcome, Acquired):
            lease = outcome.lease
            spec = self._spec(request, lease.id, kind)
            spec = spec.granted(spec.lease_ref.granted(lease, waited=outcome.waited))
            self.state.write(spec)
            keeper = Keeper.of_new_lease(
                lock, lease, random=connection.random, max_hold=request.max_hold
            )
            kept = keepalive(spec, keeper)
            return HeldLock(lock, request, outcome, kept, random=connection.random)
        self._discard(acquisition, name)
        skip = self.inputs.on_timeout == "skip"
        match outcome:
            case TimedOut():
                report_timeout(self.step, request, outcome, skip=skip)
            case Obsolete():
                report_obsolete(self.step, request, outcome, skip=skip)
            case Stopped():
                self.step.log(f'Stopped waiting for lock "{name}"')
        return outcome

    def _discard(self, acquisition: Acquisition, name: str) -> None:
        # If objects may be left in the bucket, the post stage deletes them.
        if not acquisition.may_leave_objects:
            self.state.discard(name)

    def _spec(self, request: LockRequest, lease: str, kind: KeeperKind) -> KeeperSpec:
        inputs = self.inputs
        return KeeperSpec(
            lease_ref=LeaseRef.before_claim(
                request, lease, endpoint=inputs.endpoint, keeper=kind, on_lost=inputs.on_lost
            ),
            job=inputs.job,
            credentials=self.credentials,
            proxies=inputs.proxies,
        )


def acquire(acquirer: Acquirer, *, engine: Callable[[], Engine]) -> int | Stopped:
    """Acquire the locks with keepers in containers, or without renewal where none can run.

    Args:
        acquirer: acquires.
        engine: connects to the Docker engine; raises SidecarUnavailable.

    Returns:
        The exit code, or that the step was stopped.

    Raises:
        LockError: the locks could not be acquired; none is held then.
    """
    why = ""
    if acquirer.inputs.keep_alive != "none":
        try:
            return _with_sidecars(acquirer, engine)
        except SidecarUnavailable as error:
            if acquirer.inputs.keep_alive == "sidecar":
                message = f"keep-alive: sidecar is not possible here: {error}. {INSTEAD}"
                raise SidecarUnavailable(message) from None
            why = f"No keeper can be started: {error}. {INSTEAD}"
    return _without_renewal(acquirer, why)


def _with_sidecars(acquirer: Acquirer, engine: Callable[[], Engine]) -> int | Stopped:
    connected = engine()
    launcher = SidecarLauncher(
        engine=connected,
        own_container=connected.own_container(
            mark=SystemRandom().lease_id(), event=acquirer.inputs.job.event_path
        ),
        step=acquirer.state.step_id,
        stop=acquirer.stop,
        clock=acquirer.clock,
    )
    requests = acquirer.inputs.requests(renewed=True)
    held = acquirer.acquire(
        requests, "sidecar", lambda spec, keeper: SidecarKeeper(launcher, spec, keeper)
    )
    if not isinstance(held, HeldLocks):
        return held
    interval = format_duration(requests[0].timing.renew_every or 0.0)
    report_acquired(acquirer.step, held.locks, f"renewed every {interval} by a sidecar")
    return 0


def _without_renewal(acquirer: Acquirer, why: str) -> int | Stopped:
    try:
        requests = acquirer.inputs.requests(renewed=False)
    except UsageError as error:
        # These inputs need a keeper.
        message = f"{error}. {why}" if why else str(error)
        raise UsageError(message) from None
    held = acquirer.acquire(requests, "none", lambda _, keeper: NoKeeper(keeper))
    if not isinstance(held, HeldLocks):
        return held
    first, last = held.locks[0].acquired.lease, held.locks[-1].acquired.lease
    valid = format_duration(first.deadline - last.sent_at)
    report_acquired(acquirer.step, held.locks, f"valid for {valid} without renewal")
    report_no_keepalive(acquirer.step, requests, why)
    return 0


def _raise_if_reported_lost(held: HeldLocks) -> None:
    """Raise the loss that a container reported during the wait for the other locks."""
    if len(held.locks) == 1:
        return
    for one in held.locks:
        keepalive = one.keepalive
        if isinstance(keepalive, SidecarKeeper) and (lost := keepalive.reported_loss()):
            held.release()
            raise lease_lost(one.name, lost)
