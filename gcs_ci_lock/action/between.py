"""Steps between acquiring and the end of the job: check a lease, or release it early."""

from collections.abc import Mapping

from gcs_ci_lock.action.end_lease import end_job_lease, inspect_keeper, loss_of, report_loss
from gcs_ci_lock.action.state import StepState
from gcs_ci_lock.errors import LockError, NotAcquired
from gcs_ci_lock.keepalive.adopted import check_lease as loss_by_record
from gcs_ci_lock.keepalive.sidecar.messages import KeeperSpec
from gcs_ci_lock.locking.lease import Lost
from gcs_ci_lock.platforms.github import GitHubStep
from gcs_ci_lock.protocol.text import printable
from gcs_ci_lock.report.messages import lease_lost, released_line
from gcs_ci_lock.system.clock import SignalStop, SystemClock
from gcs_ci_lock.wiring import open_lease


class Between:
    """One step with `mode: check` or `mode: release`."""

    def __init__(self, step: GitHubStep, environ: Mapping[str, str]) -> None:
        """Take the step; only its state is written."""
        self._signals = SignalStop()
        self._step = step
        self._environ = environ
        self._files = StepState(step, environ)
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
        for spec in self._charges():
            lease_ref = spec.lease_ref
            if (lost := self._lost(spec)) is not None:
                self._step.set_output("outcome", "lost")
                raise lease_lost(lease_ref.name, lost)
            self._step.say(f'Lock "{lease_ref.name}" is held: fencing token {lease_ref.token}')
        return 0

    def release(self) -> int:
        """Release the leases of this job before it ends, the last one first; return the exit code.

        Raises:
            NotAcquired: this job holds no such lock.
            LockError: one could not be released; it ends by itself.
        """
        codes = [self._release(spec) for spec in reversed(self._charges())]
        return next((code for code in codes if code), 0)

    def _release(self, spec: KeeperSpec) -> int:
        lease_ref = spec.lease_ref
        ending = end_job_lease(
            self._step, lease_ref, spec, environ=self._environ, clock=self._clock
        )
        if ending.error is not None and ending.loss is None:
            raise ending.error
        if (loss := loss_of(ending, lease_ref)) is not None:
            told = ending.status is not None and ending.status.phase == "lost"
            return report_loss(self._step, lease_ref, loss, job=spec.job, cancelled=told)
        self._files.discard_everywhere(spec)
        self._step.say(released_line(lease_ref.name, lease_ref.token))
        return 0

    def _charges(self) -> list[KeeperSpec]:
        names = [line.strip() for line in self._step.input("name").splitlines() if line.strip()]
        charges = [c for name in names or [""] for c in self._files.keeper_specs_of_job(name)]
        missing = set(names) - {spec.lease_ref.name for spec in charges}
        if missing or not charges:
            lock = f'lock "{printable(min(missing))}"' if missing else "any lock"
            message = (
                f"no step of this job holds {lock}: expected one with `mode: acquire` before this "
                "one, that has not been released yet"
            )
            raise NotAcquired(message)
        return charges

    def _lost(self, spec: KeeperSpec) -> Lost | None:
        """Return how a lease was lost; the record's word first, for it names who has taken it."""
        lease_ref = spec.lease_ref
        _, known = inspect_keeper(self._step, lease_ref, environ=self._environ, clock=self._clock)
        connection, lock = open_lease(lease_ref, environ=self._environ, pinned=spec.credentials)
        try:
            by_record = loss_by_record(lock, lease_ref, random=connection.random)
        except LockError:
            if known is None:
                raise
            return known
        if by_record is not None and by_record.ended is not None:
            return by_record
        return known or by_record
