"""The two hidden commands that renew a lease which another process acquired."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gcs_ci_lock.cli import keep as commands
from gcs_ci_lock.cli.keep import SidecarRun, keep
from gcs_ci_lock.errors import LockError, StorageUnreachable
from gcs_ci_lock.keepalive.job_end import JobEnd
from gcs_ci_lock.keepalive.lease_file import KeeperFileLock, LeaseFile
from gcs_ci_lock.keepalive.lease_ref import LeaseRef
from gcs_ci_lock.keepalive.sidecar.messages import KeeperSpec, KeeperStatus
from gcs_ci_lock.locking.admin import evict
from gcs_ci_lock.protocol.record import LossReason
from gcs_ci_lock.system.signals import StopWhen
from tests.support.faults import Outage
from tests.support.keepalives import connection_of
from tests.support.memory_shell import MemoryShell
from tests.support.memory_step import TOKEN
from tests.support.samples import LEASE_REF, SPEC

pytestmark = pytest.mark.example


def lease_ref_of(shell: MemoryShell, base: LeaseRef = LEASE_REF) -> LeaseRef:
    """Let the job acquire the lock; return the reference to its lease."""
    lease = shell.world.client("job").hold().lease
    return replace(base, lease=lease.id, token=lease.token)


@pytest.fixture
def lease_file(shell: MemoryShell, tmp_path: Path) -> LeaseFile:
    lease_file = LeaseFile(tmp_path / "lease")
    lease_file.write(lease_ref_of(shell))
    return lease_file


@pytest.fixture
def outage(shell: MemoryShell) -> Outage:
    outage = Outage()
    shell.client = shell.world.client("keeper", fault=outage)
    return outage


def kept(lease_file: LeaseFile, shell: MemoryShell) -> int:
    file_lock = KeeperFileLock.acquire(lease_file, shell.world.clock)
    code = keep(lease_file.path, file_lock.descriptor)
    file_lock.close()
    return code


def test_a_process_releases_when_its_file_is_gone_and_nothing_was_lost(
    shell: MemoryShell, lease_file: LeaseFile
) -> None:
    shell.world.clock.after(10.0, lease_file.path.unlink)

    code = kept(lease_file, shell)

    assert code == 0
    assert shell.holders() == []
    assert shell.record().history[-1].loss is None
    assert lease_file.keeper_info().ended == f"token {TOKEN} was released"


def test_a_process_that_is_told_to_stop_releases_and_the_job_has_lost_the_lease(
    shell: MemoryShell, lease_file: LeaseFile
) -> None:
    shell.world.clock.after(10.0, shell.signals.set)

    code = kept(lease_file, shell)

    assert code == 0
    assert shell.holders() == []
    assert shell.record().history[-1].loss is LossReason.KEEPER_STOPPED


def test_a_process_that_loses_the_lease_says_why(shell: MemoryShell, lease_file: LeaseFile) -> None:
    evict(shell.world.client("admin").lock, "job-1", note="stuck")

    code = kept(lease_file, shell)

    info = lease_file.keeper_info()
    assert code == 76
    assert info.loss is LossReason.EVICTED
    assert "was evicted" in info.ended


@pytest.mark.fault
def test_a_process_that_cannot_release_says_why(
    shell: MemoryShell, lease_file: LeaseFile, outage: Outage
) -> None:
    def stop() -> None:
        outage.down = True
        lease_file.path.unlink()

    shell.world.clock.after(10.0, stop)

    code = kept(lease_file, shell)

    info = lease_file.keeper_info()
    assert code == 69
    assert (info.ended, info.loss) == ("connection refused", None)


def test_a_process_without_a_file_has_nothing_to_keep(shell: MemoryShell, tmp_path: Path) -> None:
    ended = shell.type("keep", "--lease-file", str(tmp_path / "none"), "--file-lock", "3")

    assert ended.exit_code == 2
    assert "there is no lease file" in ended.err


@pytest.fixture
def reported(monkeypatch: pytest.MonkeyPatch) -> list[KeeperStatus]:
    """Return what a sidecar reports, in order."""
    reported: list[KeeperStatus] = []
    monkeypatch.setattr(commands, "_report", reported.append)
    return reported


Sidecar = Callable[[KeeperSpec, JobEnd], SidecarRun]


@pytest.fixture
def sidecar(shell: MemoryShell, monkeypatch: pytest.MonkeyPatch) -> Sidecar:
    def open_lease(lease_ref: LeaseRef, **_: Any) -> object:  # noqa: ANN401
        connection = connection_of(shell.client)
        return connection, connection.lock(lease_ref.paths, lease_ref.timing)

    monkeypatch.setattr(commands, "open_lease", open_lease)
    clock = shell.world.clock
    stop = StopWhen(shell.signals, lambda: False, clock)
    return lambda spec, end: SidecarRun(spec, end, stop=stop, clock=clock)


class Over(JobEnd):
    """A job that is over."""

    def why_over(self) -> str:
        return "the runner has removed the job's files"


def spec_of(shell: MemoryShell) -> KeeperSpec:
    return SPEC.granted(lease_ref_of(shell, SPEC.lease_ref))


def test_a_sidecar_that_is_stopped_releases_and_reports_it(
    shell: MemoryShell, sidecar: Sidecar, reported: list[KeeperStatus]
) -> None:
    shell.signals.set()

    code = sidecar(spec_of(shell), JobEnd(None)).run()

    assert code == 0
    assert shell.holders() == []
    assert shell.record().history[-1].loss is LossReason.KEEPER_STOPPED
    assert reported[-1].phase == "released"
    assert "its keeper was stopped" in reported[-1].reason


def test_a_sidecar_whose_job_is_over_notes_that(
    shell: MemoryShell, sidecar: Sidecar, reported: list[KeeperStatus]
) -> None:
    shell.signals.set()

    sidecar(spec_of(shell), Over(None)).run()

    assert shell.record().history[-1].loss is LossReason.JOB_OVER
    assert "the runner has removed the job's files" in reported[-1].reason


class FakeGitHub:
    """Notes what it is told to cancel, or refuses."""

    trouble: LockError | None = None
    cancelled: list[tuple[str, str]]

    def __init__(self, **_: str) -> None:
        return

    def cancel_run(self, repository: str, run: str) -> None:
        if self.trouble is not None:
            raise self.trouble
        self.cancelled.append((repository, run))


@pytest.mark.parametrize("on_lost", ["fail", "warn", "cancel"])
def test_a_sidecar_that_loses_the_lease_reports_it_and_cancels_the_run_if_asked(
    shell: MemoryShell,
    sidecar: Sidecar,
    reported: list[KeeperStatus],
    monkeypatch: pytest.MonkeyPatch,
    on_lost: Any,  # noqa: ANN401 - of a parametrised test
) -> None:
    FakeGitHub.cancelled = []
    monkeypatch.setattr(commands, "GitHubClient", FakeGitHub)
    spec = spec_of(shell)
    spec = replace(spec, lease_ref=replace(spec.lease_ref, on_lost=on_lost))
    evict(shell.world.client("admin").lock, spec.lease_ref.lease, note="stuck")
    began = shell.world.clock.now

    code = sidecar(spec, JobEnd(None)).run()

    assert code == 76
    assert [status.phase for status in reported] == ["lost"]
    assert reported[0].loss is LossReason.EVICTED
    assert FakeGitHub.cancelled == ([("acme/api", "8123")] if on_lost == "cancel" else [])
    # Later steps of the job ask it for the reason.
    assert shell.world.clock.now - began == pytest.approx(spec.lease_ref.max_hold_s, abs=1.0)


def test_a_run_that_cannot_be_cancelled_is_told(
    shell: MemoryShell,
    sidecar: Sidecar,
    reported: list[KeeperStatus],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(FakeGitHub, "trouble", LockError("403: no"))
    monkeypatch.setattr(commands, "GitHubClient", FakeGitHub)
    spec = spec_of(shell)
    evict(shell.world.client("admin").lock, spec.lease_ref.lease, note="stuck")
    shell.world.clock.after(10.0, shell.signals.set)

    code = sidecar(spec, JobEnd(None)).run()

    assert code == 76
    assert "403: no" in capsys.readouterr().err
    assert len(reported) == 1


def test_a_sidecar_that_is_stopped_after_a_loss_ends(
    shell: MemoryShell, sidecar: Sidecar, reported: list[KeeperStatus]
) -> None:
    spec = spec_of(shell)
    spec = replace(spec, lease_ref=replace(spec.lease_ref, on_lost="fail"))
    evict(shell.world.client("admin").lock, spec.lease_ref.lease, note="stuck")
    began = shell.world.clock.now
    shell.world.clock.after(10.0, shell.signals.set)

    sidecar(spec, JobEnd(None)).run()

    assert shell.world.clock.now - began <= 11.0
    assert len(reported) == 1


@pytest.mark.fault
def test_a_sidecar_that_cannot_find_its_lease_fails(
    shell: MemoryShell, sidecar: Sidecar, outage: Outage
) -> None:
    spec = spec_of(shell)
    outage.down = True

    with pytest.raises(StorageUnreachable):
        sidecar(spec, JobEnd(None)).run()


def test_what_is_no_spec_is_reported_as_a_failure(
    shell: MemoryShell, reported: list[KeeperStatus]
) -> None:
    ended = shell.type("keep-sidecar")

    assert ended.exit_code == 2
    assert [status.phase for status in reported] == ["failed"]
    assert "standard input is not what gcs-ci-lock wrote" in reported[0].reason
