"""Steps between acquiring and the end of the job: check a lease, or release it early."""

from collections.abc import Mapping

from gcs_ci_lock import sidecar
from gcs_ci_lock.action.stepfiles import StepFiles
from gcs_ci_lock.ci.github import GitHubStep
from gcs_ci_lock.clock import SystemClock
from gcs_ci_lock.core.charge import Charge
from gcs_ci_lock.core.ending import loss_known
from gcs_ci_lock.core.loss import Lost, taken_away
from gcs_ci_lock.core.text import printable
from gcs_ci_lock.errors import NotAcquired
from gcs_ci_lock.handed import end, loss_of
from gcs_ci_lock.lock import Lock, Released
from gcs_ci_lock.report.lines import lease_lost, released_line
from gcs_ci_lock.sidecar import Keeping, NoSidecar
from gcs_ci_lock.wiring import Connection, open_handed


class Between:
    """One step with `mode: check` or `mode: release`."""

    def __init__(self, step: GitHubStep, environ: Mapping[str, str]) -> None:
        """Take the step; only its state is written."""
        self._step = step
        self._environ = environ
        self._files = StepFiles(step, environ)
        # This step's own post stage has nothing to release.
        self._files.clear()
        self._clock = SystemClock()

    def check(self) -> int:
        """Fail as soon as a lease of this job is lost; return the exit code.

        Raises:
            LeaseLost: its keeper has given up or is gone, or the record names another.
            NotAcquired: this job holds no such lock.
            LockError: it cannot be told.
        """
        for charge in self._charges():
            handover = charge.handover
            if (lost := self._lost(charge)) is not None:
                self._step.set_output("outcome", "lost")
                raise lease_lost(handover.name, lost)
            self._step.say(f'Lock "{handover.name}" is held: fencing token {handover.token}')
        return 0

    def release(self) -> int:
        """Release the leases of this job before it ends; return the exit code.

        Raises:
            LeaseLost: one was not ours any more; nothing of anybody else was touched.
            NotAcquired: this job holds no such lock.
            LockError: it cannot be told.
        """
        for charge in reversed(self._charges()):
            handover = charge.handover
            keeping = self._keeping(charge)
            if keeping is not None:
                keeping.stop()
            connection, lock = self._open(charge)
            result = end(lock, handover, chance=connection.chance)
            if not isinstance(result, Released):
                raise lease_lost(handover.name, taken_away(handover.token, result))
            self._step.say(released_line(handover.name, handover.token))
        return 0

    def _charges(self) -> list[Charge]:
        name = self._step.input("name")
        charges = self._files.charges_of_job(name)
        if not charges:
            lock = f'lock "{printable(name)}"' if name else "any lock"
            message = (
                f"no step of this job has acquired {lock}: expected one with `mode: acquire` "
                "before this one"
            )
            raise NotAcquired(message)
        return charges

    def _lost(self, charge: Charge) -> Lost | None:
        handover = charge.handover
        if handover.keeper == "sidecar":
            try:
                keeping = self._keeping(charge)
                news = keeping.heard().news if keeping else None
                lost = loss_known(handover, news, gone=keeping is None)
            except NoSidecar as refusal:
                self._step.warning(f"The keeper of the lease cannot be reached: {refusal}")
                lost = None
            if lost is not None:
                return lost
        connection, lock = self._open(charge)
        return loss_of(lock, handover, chance=connection.chance)

    def _keeping(self, charge: Charge) -> Keeping | None:
        if charge.handover.keeper != "sidecar":
            return None
        return sidecar.connect(self._environ, self._clock).keeper(charge.handover.lease)

    def _open(self, charge: Charge) -> tuple[Connection, Lock]:
        return open_handed(charge.handover, environ=self._environ, pinned=charge.pinned)
