"""The main stage: take the locks, and see that somebody keeps their leases alive."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from gcs_ci_lock.action.hold import stay
from gcs_ci_lock.action.inputs import ActionInputs
from gcs_ci_lock.action.outputs import (
    report_acquired,
    report_no_keepalive,
    report_obsolete,
    report_timeout,
    set_outputs,
)
from gcs_ci_lock.action.state import StepState
from gcs_ci_lock.action.taken import SidecarLauncher, Taken
from gcs_ci_lock.errors import LockError, NotAcquired, UsageError
from gcs_ci_lock.keepalive import sidecar
from gcs_ci_lock.keepalive.held import acquire_all, release_all
from gcs_ci_lock.keepalive.job_end import JobEnd
from gcs_ci_lock.keepalive.lease_ref import LeaseRef
from gcs_ci_lock.keepalive.sidecar import SidecarUnavailable
from gcs_ci_lock.keepalive.sidecar.messages import KeeperSpec
from gcs_ci_lock.locking.acquisition import Acquisition
from gcs_ci_lock.locking.outcome import Acquired, Obsolete, Stopped, TimedOut
from gcs_ci_lock.locking.request import LockRequest
from gcs_ci_lock.platforms.github import GitHubStep
from gcs_ci_lock.ports import Stop
from gcs_ci_lock.protocol.duration import format_duration
from gcs_ci_lock.report.messages import lease_lost
from gcs_ci_lock.report.wait_log import WaitLog
from gcs_ci_lock.storage.pinned import PinnedCredentials
from gcs_ci_lock.system.clock import SignalStop, SystemClock, SystemRandom
from gcs_ci_lock.system.signals import StopWhen
from gcs_ci_lock.wiring import connect, resolve_credentials

INSTEAD = (
    "Let the runner's engine be reached from its containers, or use mode: hold in a background "
    "step."
)


class Taking:
    """One main stage."""

    def __init__(self, step: GitHubStep, environ: Mapping[str, str], *, hold: bool) -> None:
        """Read the inputs and pin the credentials; no request is made.

        Args:
            step: speaks to the runner.
            environ: the job's variables.
            hold: whether this process itself keeps the leases, until it is told to stop.

        Raises:
            UsageError: an input is wrong.
            Denied: there are no credentials.
        """
        self._clock = SystemClock()
        self._signals = SignalStop()
        self._step = step
        self._environ = environ
        self._hold = hold
        self._files = StepState(step, environ)
        self._files.clear()
        self._wish = inputs = ActionInputs.of(step, environ)
        step.mask(inputs.job.token)
        self._verifier = inputs.verifier(environ, self._clock)
        # A wrong input is told before anything else is done.
        self._requests = inputs.requests(kept=hold or inputs.keep_alive != "none")
        self._pinned: PinnedCredentials = resolve_credentials(
            environ,
            endpoint=inputs.endpoint,
            credentials_json=step.input("credentials-json"),
            provider=step.input("workload-identity-provider"),
            service_account=step.input("service-account"),
        )
        for secret in self._pinned.secrets():
            step.mask(secret)
        event = inputs.job.event_path
        end = JobEnd(Path(event) if event else None)
        # A container whose job is gone must never claim.
        self._stop = StopWhen(self._signals, lambda: not end.why_over(), self._clock)
        self._exit_code = 0

    def run(self) -> int:
        """Take the locks; return the exit code.

        Raises:
            LockError: they could not be acquired; nothing is held then.
        """
        if self._hold:
            taken = self._take_all(self._requests, "process", None)
            return self._exit_code if taken is None else stay(self._step, taken, self._stop)
        why = ""
        if self._wish.keep_alive != "none":
            try:
                return self._with_sidecars()
            except SidecarUnavailable as refusal:
                if self._wish.keep_alive == "sidecar":
                    message = f"keep-alive: sidecar is not possible here: {refusal}. {INSTEAD}"
                    raise SidecarUnavailable(message) from None
                why = f"No keeper can be started: {refusal}. {INSTEAD}"
        return self._unkept(why)

    def _with_sidecars(self) -> int:
        taken = self._take_all(self._requests, "sidecar", self._beside())
        if taken is None:
            return self._exit_code
        beat = format_duration(self._requests[0].timing.renew_every or 0.0)
        report_acquired(self._step, taken, f"renewed every {beat} by a sidecar")
        return 0

    def _beside(self) -> SidecarLauncher:
        engine = sidecar.connect(self._environ, self._clock)
        mark = SystemRandom().lease_id()
        home = engine.own_container(mark=mark, event=self._wish.job.event_path)
        return SidecarLauncher(
            engine=engine,
            home=home,
            step=self._files.step_id,
            stop=self._stop,
            clock=self._clock,
        )

    def _unkept(self, why: str) -> int:
        try:
            requests = self._wish.requests(kept=False)
        except UsageError as error:
            # What was asked for is possible with a keeper only.
            message = f"{error}. {why}" if why else str(error)
            raise UsageError(message) from None
        taken = self._take_all(requests, "none", None)
        if taken is None:
            return self._exit_code
        first, last = taken[0].acquired.lease, taken[-1].acquired.lease
        valid = format_duration(first.deadline - last.sent_at)
        report_acquired(self._step, taken, f"valid for {valid} without renewal")
        report_no_keepalive(self._step, requests, why)
        return 0

    def _take_all(
        self, requests: Sequence[LockRequest], keeper: str, beside: SidecarLauncher | None
    ) -> list[Taken] | None:
        """Take all locks; None: they are not to be had, and it was told why."""

        def take(request: LockRequest, stop: Stop) -> Taken | None:
            return self._take(request, stop, keeper, beside)

        try:
            taken = acquire_all(requests, self._stop, take, say=self._step.say)
            if taken is not None:
                self._end_if_told(taken)
        except LockError:
            set_outputs(self._step, requests, {"acquired": "false"})
            raise
        if taken is not None and self._stop.is_set():
            # Nobody wants the locks any more.
            release_all(taken, self._step.say)
            self._exit_code = self._signals.exit_code
            return None
        return taken

    def _end_if_told(self, taken: Sequence[Taken]) -> None:
        """Raise what a container has told while the other locks were waited for."""
        if len(taken) == 1:
            return
        for one in taken:
            if (lost := one.told()) is not None:
                release_all(taken, self._step.say)
                raise lease_lost(one.name, lost)

    def _take(
        self, request: LockRequest, stop: Stop, keeper: str, beside: SidecarLauncher | None
    ) -> Taken | None:
        bucket = request.paths.location.bucket
        connection = connect(
            bucket,
            endpoint=self._wish.endpoint or None,
            environ=self._environ,
            pinned=self._pinned,
        )
        lock = connection.lock(request.paths, request.timing)
        spec: KeeperSpec | None = None

        def on_claim(lease: str) -> None:
            nonlocal spec
            spec = self._charge(request, lease, keeper)
            self._files.write(spec)

        waiter = Acquisition(
            lock,
            request,
            random=connection.random,
            stop=stop,
            observer=WaitLog(self._step.group, clock=self._clock, on_claim=on_claim),
            verifier=self._verifier,
        )
        try:
            outcome = waiter.run()
        except LockError:
            self._forget(waiter, spec)
            raise
        if isinstance(outcome, Acquired) and spec is not None:
            granted = spec.lease_ref.granted(outcome.lease, waited=outcome.waited)
            spec = spec.granted(granted)
            self._files.write(spec)
            return Taken(
                lock,
                request,
                outcome,
                random=connection.random,
                spec=spec,
                beside=beside,
                given_back=self._files.discard,
            )
        self._forget(waiter, spec)
        if not isinstance(outcome, Acquired):
            self._exit_code = self._told(request, outcome)
        return None

    def _told(self, request: LockRequest, outcome: TimedOut | Obsolete | Stopped) -> int:
        """Tell why a lock was not acquired; return the exit code."""
        skip = self._wish.on_timeout == "skip"
        match outcome:
            case TimedOut():
                report_timeout(self._step, request, outcome, skip=skip)
            case Obsolete():
                report_obsolete(self._step, request, outcome, skip=skip)
            case Stopped():
                self._step.say(f'Stopped waiting for lock "{request.paths.name}"')
                return self._signals.exit_code
        return 0 if skip else NotAcquired.exit_code

    def _forget(self, waiter: Acquisition, spec: KeeperSpec | None) -> None:
        # Else post has the last word.
        if spec is not None and not waiter.may_leave_objects:
            self._files.discard(spec.lease_ref)

    def _charge(self, request: LockRequest, lease: str, keeper: str) -> KeeperSpec:
        inputs = self._wish
        return KeeperSpec(
            lease_ref=LeaseRef.before_claim(
                request, lease, endpoint=inputs.endpoint, keeper=keeper, on_lost=inputs.on_lost
            ),
            job=inputs.job,
            credentials=self._pinned,
            proxies=inputs.proxies,
        )
