"""`keep` and `keep-sidecar`, both hidden: renew a lease that another process acquired."""

import os
import sys
from pathlib import Path

from gcs_ci_lock.cli.acquire import open_lock
from gcs_ci_lock.errors import LeaseLost, LockError, UsageError
from gcs_ci_lock.keepalive.adopted import keep_adopted
from gcs_ci_lock.keepalive.job_end import JobEnd
from gcs_ci_lock.keepalive.keeper import Keeper
from gcs_ci_lock.keepalive.lease_file import KeeperFileLock, LeaseFile
from gcs_ci_lock.keepalive.sidecar.messages import KeeperPhase, KeeperSpec, KeeperStatus
from gcs_ci_lock.locking.lease import Lost
from gcs_ci_lock.platforms.github_api import GitHubClient
from gcs_ci_lock.ports import Clock, Stop
from gcs_ci_lock.protocol.record import LossReason
from gcs_ci_lock.report.messages import lease_lost, released_line
from gcs_ci_lock.system.clock import SystemClock
from gcs_ci_lock.system.console import print_err, write_line
from gcs_ci_lock.system.private_file import MAX_BYTES
from gcs_ci_lock.system.signals import SignalStop, StopWhen
from gcs_ci_lock.wiring import open_lease


def keep(path: Path, inherited: int) -> int:
    """Renew the lease in a lease file until SIGTERM, or until the file is gone; then release it.

    Args:
        path: the lease file.
        inherited: descriptor of the locked file that `acquire` passed on.

    Returns:
        The exit code.
    """
    lease_file = LeaseFile(path)
    lease_ref = lease_file.read()
    if lease_ref is None:
        message = f"there is no lease file {lease_file.path}"
        raise UsageError(message)
    file_lock = KeeperFileLock(inherited)
    signals = SignalStop.installed()

    def file_is_gone() -> bool:
        return not lease_file.names_lease(lease_ref.lease)

    def why_stopped() -> Lost | None:
        return None if file_is_gone() else _keeper_stopped()

    try:
        connection, lock = open_lock(lease_ref, verbose=False)
        ended = keep_adopted(
            lock,
            lease_ref,
            StopWhen(signals, file_is_gone, SystemClock()),
            random=connection.random,
            why_stopped=why_stopped,
            on_start=lambda _: file_lock.write_working(),
        )
    except LockError as error:
        file_lock.write_ended(str(error))
        return error.exit_code
    if isinstance(ended, Lost):
        file_lock.write_ended(ended.message, loss=ended.reason)
        return LeaseLost.exit_code
    note = ended.ended.note or f"token {lease_ref.token} was released"
    file_lock.write_ended(note, loss=ended.ended.loss)
    return 0


def keep_sidecar() -> int:
    """Renew the lease that standard input describes until its job is over; return the exit code.

    Prints one `KeeperStatus` per line to standard output, and lines for people to standard error.
    """
    signals = SignalStop.installed()
    try:
        spec = KeeperSpec.from_json(sys.stdin.read(MAX_BYTES), source="standard input")
        # The libraries read them from the environment; the container itself has none.
        os.environ.update(spec.proxies)
        end = JobEnd.watching(spec.job.event_path)
        if spec.job.token and spec.job.api_url:
            client = GitHubClient(api_url=spec.job.api_url, token=spec.job.token)
            end.poll_in_background(client.token_state)
        clock = SystemClock()
        stop = StopWhen(signals, lambda: end.why_over() != "", clock)
        return SidecarRun(spec, end, stop=stop, clock=clock).run()
    except LockError as error:
        print_err(str(error))
        _report(KeeperStatus(phase="failed", reason=str(error)))
        return error.exit_code


class SidecarRun:
    """Renews one lease in a sidecar, and reports its status.

    Args:
        spec: the lease.
        end: finds out whether the job is over.
        stop: ends the renewing.
        clock: its boot time counts.
    """

    def __init__(self, spec: KeeperSpec, end: JobEnd, *, stop: Stop, clock: Clock) -> None:
        self._spec = spec
        self._end = end
        self._stop = stop
        self._clock = clock
        self._keeper: Keeper | None = None
        self._phase: KeeperPhase | None = None

    def run(self) -> int:
        """Renew until the stop, report, and return the exit code.

        Raises:
            LockError: the lease could not be found, or not be released.
        """
        spec, lease_ref = self._spec, self._spec.lease_ref
        connection, lock = open_lease(lease_ref, environ=os.environ, pinned=spec.credentials)
        result = keep_adopted(
            lock,
            lease_ref,
            self._stop,
            random=connection.random,
            why_stopped=self._why_stopped,
            on_start=self._on_start,
            on_attempt=self._on_attempt,
            renew_now=True,
        )
        if isinstance(result, Lost):
            return self._lost(result)
        why = result.ended.note or "the step has ended"
        print_err(f"{released_line(lease_ref.name, lease_ref.token)}: {why}")
        self._report("released", why)
        return 0

    def _why_stopped(self) -> Lost:
        if why := self._end.why_over():
            return Lost(reason=LossReason.JOB_OVER, message=why)
        return _keeper_stopped()

    def _on_start(self, keeper: Keeper) -> None:
        self._keeper = keeper

    def _on_attempt(self, keeper: Keeper) -> None:
        """Report when renewing begins, fails, or works again; not every renewal."""
        phase: KeeperPhase = "missing" if keeper.trouble else "keeping"
        if phase == self._phase:
            return
        self._phase = phase
        name = self._spec.lease_ref.name
        if phase == "missing":
            print_err(f'Could not renew lock "{name}": {keeper.trouble}; retrying')
        else:
            print_err(f'Renewing lock "{name}": fencing token {keeper.lease.token}')
        self._report(phase, keeper.trouble)

    def _lost(self, lost: Lost) -> int:
        lease_ref = self._spec.lease_ref
        print_err(str(lease_lost(lease_ref.name, lost)))
        self._report("lost", lost.message, loss=lost.reason)
        if lease_ref.on_lost == "cancel":
            self._cancel()
        # Keep running, so that later steps of the job can read the reason; at most for max-hold.
        began = self._keeper.lease.sent_at if self._keeper else self._clock.boottime()
        until = began + lease_ref.max_hold_s
        while not lost.max_hold_over and (left := until - self._clock.boottime()) > 0:
            if self._stop.wait(left):
                break
        return LeaseLost.exit_code

    def _cancel(self) -> None:
        job = self._spec.job
        try:
            client = GitHubClient(api_url=job.api_url, token=job.token)
            client.cancel_run(job.repository, job.run_id)
        except LockError as error:
            print_err(str(error))
        else:
            print_err("Cancelling the run")

    def _report(self, phase: KeeperPhase, reason: str, *, loss: LossReason | None = None) -> None:
        keeper = self._keeper
        renewals, missed = (keeper.renewals, keeper.missed) if keeper else (0, 0)
        _report(KeeperStatus(phase=phase, beats=renewals, missed=missed, reason=reason, loss=loss))


def _keeper_stopped() -> Lost:
    return Lost(reason=LossReason.KEEPER_STOPPED, message="its keeper was stopped")


def _report(status: KeeperStatus) -> None:
    write_line(sys.stdout, status.to_json())
