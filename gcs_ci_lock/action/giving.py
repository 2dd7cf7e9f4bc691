"""The post stage: stop the keeper, release what is still ours, and say how it was."""

from collections.abc import Mapping

from gcs_ci_lock import sidecar
from gcs_ci_lock.action.stepfiles import StepFiles
from gcs_ci_lock.action.telling import tell_end
from gcs_ci_lock.ci.github import GitHubStep
from gcs_ci_lock.ci.github_api import GitHubApi
from gcs_ci_lock.clock import SystemChance, SystemClock
from gcs_ci_lock.core.charge import Charge, News
from gcs_ci_lock.core.ending import Stranger, loss_known, note_of, verdict
from gcs_ci_lock.core.handover import Handover
from gcs_ci_lock.core.loss import Lost
from gcs_ci_lock.core.timing import spoken
from gcs_ci_lock.errors import LeaseLost, LockError, UsageError
from gcs_ci_lock.handed import end
from gcs_ci_lock.lock import Released
from gcs_ci_lock.report.lines import lease_lost, released_line
from gcs_ci_lock.sidecar import Heard, Keeping, NoSidecar
from gcs_ci_lock.wiring import open_handed

MOST_SHOWN = 20


class Giving:
    """One post stage.

    Inputs are not looked at: inside a composite action they may be another step's.
    """

    def __init__(self, step: GitHubStep, environ: Mapping[str, str]) -> None:
        """Take the step; nothing is read or written."""
        self._step = step
        self._environ = environ
        self._files = StepFiles(step, environ)
        self._clock = SystemClock()

    def run(self) -> int:
        """Release exactly the lease of our own main stage; return the exit code.

        Raises:
            LockError: the storage server does not answer; the lease ends by itself.
        """
        handover = self._files.handover()
        if handover is None:
            return self._nothing() if self._files.says_nothing_is_left else self._by_label()
        try:
            keeping = self._keeper(handover)
            gone = handover.keeper == "sidecar" and handover.token > 0 and keeping is None
        except NoSidecar as refusal:
            self._step.warning(f"The keeper of the lease cannot be reached: {refusal}")
            keeping, gone = None, False
        heard = self._stopped(keeping)
        return self._end(handover, heard, gone=gone)

    def _keeper(self, handover: Handover) -> Keeping | None:
        if handover.keeper != "sidecar":
            return None
        return sidecar.connect(self._environ, self._clock).keeper(handover.lease)

    def _by_label(self) -> int:
        """Stop a keeper of whose lease nothing was handed on; it releases by itself."""
        event = self._environ.get("GITHUB_EVENT_PATH", "")
        try:
            engine = sidecar.connect(self._environ, self._clock)
            home = engine.home(mark=SystemChance().lease_id(), event=event)
            keeping = engine.keeper_of_step(self._files.step_id, home)
        except NoSidecar:
            keeping = None
        if keeping is None:
            return self._nothing()
        news = self._stopped(keeping).news
        if news is not None and news.phase == "released":
            self._step.say(f"Released the lock of lease {keeping.lease}, by its keeper")
            return 0
        reason = news.reason if news else "it said nothing"
        message = f"The keeper of lease {keeping.lease} did not release it: {reason}"
        raise LeaseLost(message)

    def _nothing(self) -> int:
        self._step.say("Nothing to release: this step holds no lock")
        return 0

    def _stopped(self, keeping: Keeping | None) -> Heard:
        if keeping is None:
            return Heard()
        heard = keeping.stop()
        if heard.lines:
            self._step.group("What the keeper said", heard.lines[-MOST_SHOWN:])
        return heard

    def _end(self, handover: Handover, heard: Heard, *, gone: bool) -> int:
        """Release what is still ours, and tell the outcome."""
        charge = self._charge(handover)
        known = loss_known(handover, heard.news, gone=gone)
        connection, lock = open_handed(
            handover, environ=self._environ, pinned=charge.pinned if charge else None
        )
        result = end(lock, handover, chance=connection.chance, note=note_of(known))
        held = lock.now().earliest - handover.granted_at
        ended = result.ended if isinstance(result, Released) else result
        match verdict(handover, known, ended):
            case None if handover.token:
                self._step.say(released_line(handover.name, handover.token))
                self._summary(handover, "released", heard.news, held)
            case None:
                self._step.say(f'Nothing to release: lock "{handover.name}" was not acquired')
            case Stranger() as stranger:
                self._step.warning(str(lease_lost(handover.name, stranger.lost)))
                self._summary(handover, "not ours any more", heard.news, held)
            case Lost() as lost:
                self._summary(handover, "lost", heard.news, held)
                return self._lost(handover, charge, heard.news, lost)
        return 0

    def _charge(self, handover: Handover) -> Charge | None:
        """Return what the main stage has left in its file, if it is of this lease."""
        try:
            charge = self._files.charge()
        except UsageError as error:
            # The lease is to be released all the same, with the credentials that are there.
            self._step.warning(str(error))
            return None
        return charge if charge and charge.handover.lease == handover.lease else None

    def _lost(
        self, handover: Handover, charge: Charge | None, news: News | None, lost: Lost
    ) -> int:
        text = str(lease_lost(handover.name, lost))
        if handover.on_lost == "warn":
            self._step.warning(text)
            return 0
        self._step.error(text)
        told = news is not None and news.phase == "lost"
        # A keeper that saw the loss has cancelled the run itself.
        if handover.on_lost == "cancel" and not told and charge is not None:
            try:
                GitHubApi(charge.job).cancel_run()
            except LockError as error:
                self._step.warning(str(error))
        return LeaseLost.exit_code

    def _summary(self, handover: Handover, outcome: str, news: News | None, held: float) -> None:
        rows = [("held", spoken(held)), ("fencing token", str(handover.token))]
        if news is not None:
            rows += [("beats", str(news.beats)), ("missed beats", str(news.missed))]
        tell_end(self._step, handover, outcome, rows)
