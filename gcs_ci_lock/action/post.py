"""The post stage: release what is still ours, stop the keepers, and say how it was."""

from collections.abc import Mapping

from gcs_ci_lock.action.end_lease import LeaseEnding, end_job_lease, loss_of, report_loss
from gcs_ci_lock.action.outputs import report_end
from gcs_ci_lock.action.state import StepState
from gcs_ci_lock.errors import LeaseLost, UsageError
from gcs_ci_lock.keepalive import sidecar
from gcs_ci_lock.keepalive.ending import RecordReplaced
from gcs_ci_lock.keepalive.lease_ref import LeaseRef
from gcs_ci_lock.keepalive.sidecar import KeeperContainer, SidecarUnavailable
from gcs_ci_lock.keepalive.sidecar.messages import KeeperSpec
from gcs_ci_lock.platforms.github import GitHubStep
from gcs_ci_lock.protocol.duration import format_duration
from gcs_ci_lock.report.messages import released_line
from gcs_ci_lock.system.clock import SignalStop, SystemClock, SystemRandom


class Giving:
    """One post stage.

    Inputs are not looked at: inside a composite action they may be another step's.
    """

    def __init__(self, step: GitHubStep, environ: Mapping[str, str]) -> None:
        """Take the step; nothing is read or written. The first signal does not end it."""
        self._signals = SignalStop()
        self._step = step
        self._environ = environ
        self._files = StepState(step, environ)
        self._clock = SystemClock()

    def run(self) -> int:
        """Release exactly the leases of our own main stage; return the exit code.

        Raises:
            UsageError: what the main stage has left is spoiled, and no keeper is found.
        """
        try:
            handovers = self._left()
        except UsageError as spoiled:
            return self._release_by_label(spoiled)
        if not handovers:
            return self._nothing() if self._files.is_known_empty else self._release_by_label(None)
        codes = [self._end(lease_ref) for lease_ref in reversed(handovers)]
        return next((code for code in codes if code), 0)

    def _left(self) -> list[LeaseRef]:
        try:
            return self._files.lease_refs()
        except UsageError as spoiled:
            handovers = self._files.lease_refs_in_files()
            if not handovers:
                raise
            self._step.warning(str(spoiled))
            return handovers

    def _release_by_label(self, spoiled: UsageError | None) -> int:
        """Stop the keepers of whose leases nothing was handed on; they release by themselves.

        Raises:
            UsageError: there are none, and what was handed on is spoiled.
        """
        event = self._environ.get("GITHUB_EVENT_PATH", "")
        keepings: list[KeeperContainer] = []
        try:
            engine = sidecar.connect(self._environ, self._clock)
            home = engine.own_container(mark=SystemRandom().lease_id(), event=event)
            keepings = engine.find_keepers_of_step(self._files.step_id, home)
        except SidecarUnavailable as refusal:
            if spoiled is not None:
                self._step.warning(f"The keeper of the lease cannot be reached: {refusal}")
        if not keepings and spoiled is not None:
            raise spoiled
        if not keepings:
            return self._nothing()
        if spoiled is not None:
            self._step.warning(str(spoiled))
        codes = [self._let_release(keeping) for keeping in keepings]
        return next((code for code in codes if code), 0)

    def _let_release(self, keeping: KeeperContainer) -> int:
        status = keeping.stop().status
        if status is not None and status.phase == "released":
            self._step.say(f"Released the lock of lease {keeping.lease}, by its keeper")
            return 0
        reason = status.reason if status else "it said nothing"
        self._step.error(f"The keeper of lease {keeping.lease} did not release it: {reason}")
        return LeaseLost.exit_code

    def _nothing(self) -> int:
        self._step.say("Nothing to release: this step holds no lock")
        return 0

    def _end(self, lease_ref: LeaseRef) -> int:
        spec = self._charge(lease_ref)
        ending = end_job_lease(
            self._step, lease_ref, spec, environ=self._environ, clock=self._clock
        )
        code = self._report(lease_ref, spec, ending)
        if lease_ref.token:
            report_end(self._step, lease_ref, _outcome(ending), _rows(lease_ref, ending))
        return code

    def _report(self, lease_ref: LeaseRef, spec: KeeperSpec | None, ending: LeaseEnding) -> int:
        code = 0
        if ending.error is not None:
            ttl = format_duration(lease_ref.timing.ttl)
            self._step.error(
                f'lock "{lease_ref.name}" could not be released: {ending.error}. Its lease ends by '
                f"itself, {ttl} after its last renewal at the latest"
            )
            code = ending.error.exit_code
        loss = loss_of(ending, lease_ref)
        if loss is None:
            if ending.error is None and lease_ref.token:
                self._step.say(released_line(lease_ref.name, lease_ref.token))
            elif ending.error is None:
                self._step.say(f'Nothing to release: lock "{lease_ref.name}" was not acquired')
            return code
        if isinstance(ending.loss, RecordReplaced):
            # Whoever has deleted the record answers for it.
            self._step.warning(str(loss))
            return code
        told = ending.status is not None and ending.status.phase == "lost"
        job = spec.job if spec else None
        return report_loss(self._step, lease_ref, loss, job=job, cancelled=told) or code

    def _charge(self, lease_ref: LeaseRef) -> KeeperSpec | None:
        """Return what the main stage has left in the lease's file, if it can be used."""
        try:
            return self._files.keeper_spec(lease_ref)
        except UsageError as error:
            # The lease is to be released all the same, with the credentials that are there.
            self._step.warning(str(error))
            return None


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
        beats, missed = (
            (str(status.beats), str(status.missed)) if status else ("unknown", "unknown")
        )
        rows += [("beats", beats), ("missed beats", missed)]
    return rows
