"""The post stage: release what is still ours, stop the keepers, and say how it was."""

from collections.abc import Mapping

from gcs_ci_lock.action.end_lease import Ending, end_lease, loss_of, tell_loss
from gcs_ci_lock.action.outputs import tell_end
from gcs_ci_lock.action.state import StepFiles
from gcs_ci_lock.errors import LeaseLost, UsageError
from gcs_ci_lock.keepalive import sidecar
from gcs_ci_lock.keepalive.ending import Stranger
from gcs_ci_lock.keepalive.lease_ref import Handover
from gcs_ci_lock.keepalive.sidecar import Keeping, NoSidecar
from gcs_ci_lock.keepalive.sidecar.messages import Charge
from gcs_ci_lock.platforms.github import GitHubStep
from gcs_ci_lock.protocol.timing import spoken
from gcs_ci_lock.report.messages import released_line
from gcs_ci_lock.system.clock import SignalStop, SystemChance, SystemClock


class Giving:
    """One post stage.

    Inputs are not looked at: inside a composite action they may be another step's.
    """

    def __init__(self, step: GitHubStep, environ: Mapping[str, str]) -> None:
        """Take the step; nothing is read or written. The first signal does not end it."""
        self._signals = SignalStop()
        self._step = step
        self._environ = environ
        self._files = StepFiles(step, environ)
        self._clock = SystemClock()

    def run(self) -> int:
        """Release exactly the leases of our own main stage; return the exit code.

        Raises:
            UsageError: what the main stage has left is spoiled, and no keeper is found.
        """
        try:
            handovers = self._left()
        except UsageError as spoiled:
            return self._by_label(spoiled)
        if not handovers:
            return self._nothing() if self._files.says_nothing_is_left else self._by_label(None)
        codes = [self._end(handover) for handover in reversed(handovers)]
        return next((code for code in codes if code), 0)

    def _left(self) -> list[Handover]:
        try:
            return self._files.handovers()
        except UsageError as spoiled:
            handovers = self._files.handovers_in_files()
            if not handovers:
                raise
            self._step.warning(str(spoiled))
            return handovers

    def _by_label(self, spoiled: UsageError | None) -> int:
        """Stop the keepers of whose leases nothing was handed on; they release by themselves.

        Raises:
            UsageError: there are none, and what was handed on is spoiled.
        """
        event = self._environ.get("GITHUB_EVENT_PATH", "")
        keepings: list[Keeping] = []
        try:
            engine = sidecar.connect(self._environ, self._clock)
            home = engine.home(mark=SystemChance().lease_id(), event=event)
            keepings = engine.keepers_of_step(self._files.step_id, home)
        except NoSidecar as refusal:
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

    def _let_release(self, keeping: Keeping) -> int:
        news = keeping.stop().news
        if news is not None and news.phase == "released":
            self._step.say(f"Released the lock of lease {keeping.lease}, by its keeper")
            return 0
        reason = news.reason if news else "it said nothing"
        self._step.error(f"The keeper of lease {keeping.lease} did not release it: {reason}")
        return LeaseLost.exit_code

    def _nothing(self) -> int:
        self._step.say("Nothing to release: this step holds no lock")
        return 0

    def _end(self, handover: Handover) -> int:
        charge = self._charge(handover)
        ending = end_lease(self._step, handover, charge, environ=self._environ, clock=self._clock)
        code = self._told(handover, charge, ending)
        if handover.token:
            tell_end(self._step, handover, _outcome(ending), _rows(handover, ending))
        return code

    def _told(self, handover: Handover, charge: Charge | None, ending: Ending) -> int:
        code = 0
        if ending.error is not None:
            self._step.error(
                f'lock "{handover.name}" could not be released: {ending.error}. Its lease ends by '
                f"itself, {spoken(handover.timing.ttl)} after its last renewal at the latest"
            )
            code = ending.error.exit_code
        loss = loss_of(ending, handover)
        if loss is None:
            if ending.error is None and handover.token:
                self._step.say(released_line(handover.name, handover.token))
            elif ending.error is None:
                self._step.say(f'Nothing to release: lock "{handover.name}" was not acquired')
            return code
        if isinstance(ending.verdict, Stranger):
            # Whoever has deleted the record answers for it.
            self._step.warning(str(loss))
            return code
        told = ending.news is not None and ending.news.phase == "lost"
        job = charge.job if charge else None
        return tell_loss(self._step, handover, loss, job=job, cancelled=told) or code

    def _charge(self, handover: Handover) -> Charge | None:
        """Return what the main stage has left in the lease's file, if it can be used."""
        try:
            return self._files.charge(handover)
        except UsageError as error:
            # The lease is to be released all the same, with the credentials that are there.
            self._step.warning(str(error))
            return None


def _outcome(ending: Ending) -> str:
    if isinstance(ending.verdict, Stranger):
        return "not ours any more"
    if ending.verdict is not None:
        return "lost"
    return "not released" if ending.error else "released"


def _rows(handover: Handover, ending: Ending) -> list[tuple[str, str]]:
    rows = [("fencing token", str(handover.token))]
    if ending.held is not None:
        rows.insert(0, ("held", spoken(ending.held)))
    if handover.keeper == "sidecar":
        news = ending.news
        beats, missed = (str(news.beats), str(news.missed)) if news else ("unknown", "unknown")
        rows += [("beats", beats), ("missed beats", missed)]
    return rows
