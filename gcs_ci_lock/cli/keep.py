"""What runs in the sidecar: keep one lease until its job is over."""

import os
import sys
from pathlib import Path

from gcs_ci_lock.errors import LeaseLost, LockError
from gcs_ci_lock.keepalive.adopted import keep_adopted
from gcs_ci_lock.keepalive.job_end import JobEnd
from gcs_ci_lock.keepalive.keeper import Keeper
from gcs_ci_lock.keepalive.sidecar.messages import KeeperSpec, KeeperStatus
from gcs_ci_lock.locking.lease import TOLD_TO_STOP, Lost
from gcs_ci_lock.platforms.github_api import GitHubApi
from gcs_ci_lock.report.messages import lease_lost, released_line
from gcs_ci_lock.system.clock import SignalStop, SystemClock
from gcs_ci_lock.system.console import print_err, write_line
from gcs_ci_lock.system.private_file import MAX_BYTES
from gcs_ci_lock.system.signals import StopWhen
from gcs_ci_lock.wiring import open_lease


def keep_sidecar() -> int:
    """Keep the lease that standard input tells; return the exit code.

    Standard output has the news, one line of JSON each; standard error has lines for people.
    """
    stop = SignalStop()
    try:
        spec = KeeperSpec.from_json(sys.stdin.read(MAX_BYTES), source="standard input")
        # Where the libraries look for them; the container itself has none.
        os.environ.update(spec.proxies)
        return _Keeping(spec, stop).run()
    except LockError as error:
        print_err(str(error))
        _tell(KeeperStatus(phase="failed", reason=str(error)))
        return error.exit_code


class _Keeping:
    """One keeper in a container of its own."""

    def __init__(self, spec: KeeperSpec, stop: SignalStop) -> None:
        self._charge = spec
        self._clock = SystemClock()
        self._stop = stop
        event = spec.job.event_path
        self._end = JobEnd(Path(event) if event else None)
        self._wanted = StopWhen(stop, lambda: not self._end.why_over(), self._clock)
        self._keeper: Keeper | None = None
        self._phase = ""

    def run(self) -> int:
        spec, lease_ref = self._charge, self._charge.lease_ref
        if spec.job.token and spec.job.api_url:
            self._end.poll_in_background(GitHubApi(spec.job).token_state)
        connection, lock = open_lease(lease_ref, environ=os.environ, pinned=spec.credentials)
        result = keep_adopted(
            lock,
            lease_ref,
            self._wanted,
            random=connection.random,
            on_start=self._at_work,
            on_attempt=self._tried,
            renew_now=True,
            note=lambda: self._end.why_over() or TOLD_TO_STOP,
        )
        if isinstance(result, Lost):
            return self._lost(result)
        why = result.ended.note or "the step's end"
        print_err(f"{released_line(lease_ref.name, lease_ref.token)}: {why}")
        self._tell("released", why)
        return 0

    def _at_work(self, keeper: Keeper) -> None:
        self._keeper = keeper

    def _tried(self, keeper: Keeper) -> None:
        """Tell when renewing begins, fails and works again; not every beat."""
        phase = "missing" if keeper.trouble else "keeping"
        if phase == self._phase:
            return
        self._phase = phase
        name = self._charge.lease_ref.name
        if phase == "missing":
            print_err(f'Lock "{name}" could not be renewed: {keeper.trouble}; trying again')
        else:
            print_err(f'Keeping lock "{name}": fencing token {keeper.lease.token}')
        self._tell(phase, keeper.trouble)

    def _lost(self, lost: Lost) -> int:
        lease_ref = self._charge.lease_ref
        print_err(str(lease_lost(lease_ref.name, lost)))
        self._tell("lost", lost.reason)
        if lease_ref.on_lost == "cancel":
            self._cancel()
        # The reason is to be heard by the job's later steps; for longer than max-hold nobody asks.
        began = self._keeper.lease.sent_at if self._keeper else self._clock.boottime()
        until = began + lease_ref.max_hold_s
        while not lost.max_hold_over and (left := until - self._clock.boottime()) > 0:
            if self._wanted.wait(left):
                break
        return LeaseLost.exit_code

    def _cancel(self) -> None:
        try:
            GitHubApi(self._charge.job).cancel_run()
        except LockError as error:
            print_err(str(error))
        else:
            print_err("The run is being cancelled")

    def _tell(self, phase: str, reason: str) -> None:
        keeper = self._keeper
        beats, missed = (keeper.renewals, keeper.missed) if keeper else (0, 0)
        _tell(KeeperStatus(phase=phase, beats=beats, missed=missed, reason=reason))


def _tell(status: KeeperStatus) -> None:
    write_line(sys.stdout, status.to_json())
