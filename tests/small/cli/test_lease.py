"""`acquire`, `check` and `release`: the lease lives between processes, in a file."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gcs_ci_lock.cli import lease as commands
from gcs_ci_lock.keepalive.keeper import Keeper
from gcs_ci_lock.keepalive.lease_file import KeeperFileLock, LeaseFile
from gcs_ci_lock.keepalive.sidecar.errors import SidecarUnavailable
from gcs_ci_lock.locking.admin import evict
from gcs_ci_lock.protocol.record import LossReason
from tests.support.faults import Outage
from tests.support.keepalives import FakeKeepAlive
from tests.support.memory_shell import MemoryShell
from tests.support.memory_step import TOKEN
from tests.support.shell import Ended

pytestmark = pytest.mark.example


class Background:
    """The process that renews the lease of a file, as far as others can tell.

    Attributes:
        keepalive: what `acquire` starts.
        on_start: called when it is started.
    """

    def __init__(self) -> None:
        self.keepalive = FakeKeepAlive()
        self.on_start: Callable[[], object] = int
        self._lock: KeeperFileLock | None = None

    def __call__(
        self, _file: LeaseFile, lock: KeeperFileLock, _keeper: Keeper, **_: object
    ) -> FakeKeepAlive:
        self._lock = lock
        start = self.keepalive.start

        def start_it() -> None:
            start()
            # As another process would have written it.
            lock.write_working()
            self.on_start()

        self.keepalive.start = start_it  # type: ignore[method-assign]
        return self.keepalive

    def end(self, why: str = "", *, loss: LossReason | None = None) -> None:
        """Let the process end, with its last words or without."""
        assert self._lock is not None
        if why:
            self._lock.write_ended(why, loss=loss)
        self._lock.close()
        self._lock = None


@pytest.fixture
def background(monkeypatch: pytest.MonkeyPatch) -> Background:
    background = Background()
    monkeypatch.setattr(commands, "DetachedKeeper", background)
    return background


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lease"


@pytest.fixture
def acquire(
    shell: MemoryShell,
    path: Path,
    background: Background,  # noqa: ARG001 - it takes the process's place
) -> Callable[..., Ended]:
    def acquire(*options: str) -> Ended:
        return shell.lock("acquire", "prod", "--lease-file", str(path), *options)

    return acquire


def later(shell: MemoryShell, command: str, path: Path) -> Ended:
    return shell.type(command, "--lease-file", str(path))


def test_a_lease_is_acquired_into_its_file_and_renewed_by_a_process(
    shell: MemoryShell, path: Path, acquire: Callable[..., Ended], background: Background
) -> None:
    ended = acquire()

    assert ended.exit_code == 0
    lease_ref = LeaseFile(path).read()
    assert lease_ref is not None
    assert (lease_ref.lease, lease_ref.token) == ("me-1", TOKEN)
    assert shell.holders() == ["me-1"]
    assert background.keepalive.journal == ["start"]
    assert "renewed every 20s by a background process" in ended.err
    assert ended.out == ""


def test_a_lease_may_be_printed_as_one_document(acquire: Callable[..., Ended]) -> None:
    ended = acquire("--json")

    assert ended.document["name"] == "prod"
    assert ended.document["lease"] == "me-1"
    assert ended.document["token"] == TOKEN
    assert ended.document["waited_s"] == 0.0


def test_a_document_that_cannot_be_printed_releases_the_lock(
    shell: MemoryShell,
    path: Path,
    acquire: Callable[..., Ended],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(commands, "write_line", lambda *_: False)

    ended = acquire("--json")

    assert ended.exit_code == 1
    assert "cannot write the lease to standard output; the lock was released again" in ended.err
    assert shell.holders() == []
    assert not path.exists()


def test_a_process_that_does_not_start_releases_the_lock(
    shell: MemoryShell, path: Path, acquire: Callable[..., Ended], background: Background
) -> None:
    background.keepalive.trouble = SidecarUnavailable("the background keeper did not start")

    ended = acquire()

    assert ended.exit_code == 2
    assert "the background keeper did not start" in ended.err
    assert shell.holders() == []
    assert not path.exists()


def test_a_signal_while_the_process_starts_releases_the_lock_and_says_so(
    shell: MemoryShell, path: Path, acquire: Callable[..., Ended], background: Background
) -> None:
    background.on_start = shell.signals.set

    ended = acquire("--json")

    assert ended.exit_code == 143
    assert ended.out == ""
    assert f'Released lock "prod" (fencing token {TOKEN})' in ended.err
    assert shell.holders() == []
    assert not path.exists()


@pytest.mark.fault
def test_a_lock_that_a_signal_cannot_release_is_told(
    shell: MemoryShell, acquire: Callable[..., Ended], background: Background
) -> None:
    outage = Outage()
    shell.client = shell.world.client("me", fault=outage)

    def stop() -> None:
        outage.down = True
        shell.signals.set()

    background.on_start = stop

    ended = acquire()

    assert ended.exit_code == 143
    assert 'lock "prod" could not be released: connection refused' in ended.err


def test_a_held_lock_leaves_no_file(
    shell: MemoryShell, path: Path, acquire: Callable[..., Ended]
) -> None:
    shell.world.client("alice", ttl=600).hold()

    ended = acquire("--wait", "10s")

    assert ended.exit_code == 75
    assert not path.exists()
    assert not path.with_name("lease.keeper").exists()


def test_a_signal_during_the_wait_leaves_no_file(
    shell: MemoryShell, path: Path, acquire: Callable[..., Ended]
) -> None:
    shell.world.client("alice", ttl=600).hold()
    shell.world.clock.after(10.0, shell.signals.set)

    assert acquire().exit_code == 143
    assert not path.exists()


def test_a_file_that_is_deleted_during_the_wait_ends_it(
    shell: MemoryShell, path: Path, acquire: Callable[..., Ended]
) -> None:
    shell.world.client("alice", ttl=600).hold(slots=1)
    shell.world.clock.after(10.0, path.unlink)

    ended = acquire("--slots", "1")

    assert 'Stopped waiting for lock "prod"' in ended.err
    assert shell.world.tickets() == []


def test_a_lock_is_acquired_one_at_a_time(shell: MemoryShell, path: Path) -> None:
    ended = shell.type("acquire", "db", "web", "--bucket", "b-1", "--lease-file", str(path))

    assert ended.exit_code == 2
    assert "acquire accepts only one lock" in ended.err


def test_the_lease_of_a_process_that_is_gone_is_released_first(
    shell: MemoryShell, acquire: Callable[..., Ended], background: Background
) -> None:
    acquire()
    background.end()

    ended = acquire()

    assert ended.exit_code == 0
    assert 'Released the earlier lease of lock "prod" in ' in ended.err
    assert shell.holders() == ["me-2"]


def test_a_lease_that_is_renewed_passes_a_check(
    shell: MemoryShell, path: Path, acquire: Callable[..., Ended]
) -> None:
    acquire()

    ended = later(shell, "check", path)

    assert (ended.exit_code, ended.err) == (0, f'Lock "prod" is held: fencing token {TOKEN}\n')


@pytest.mark.parametrize(
    ("why", "loss", "message"),
    [
        ("", None, "its keeper is gone, and nothing renews it"),
        ("token 7 was evicted", LossReason.EVICTED, "token 7 was evicted"),
        ("out of memory", None, "out of memory"),
    ],
)
def test_a_lease_whose_process_has_ended_is_lost(
    shell: MemoryShell,
    path: Path,
    acquire: Callable[..., Ended],
    background: Background,
    why: str,
    loss: LossReason | None,
    message: str,
) -> None:
    acquire()
    background.end(why, loss=loss)

    ended = later(shell, "check", path)

    assert ended.exit_code == 76
    assert message in ended.err


def test_a_lease_that_was_evicted_does_not_pass_a_check(
    shell: MemoryShell, path: Path, acquire: Callable[..., Ended]
) -> None:
    acquire()
    evict(shell.world.client("admin").lock, "me-1", note="stuck")

    ended = later(shell, "check", path)

    assert ended.exit_code == 76
    assert "was evicted" in ended.err


def test_without_a_file_a_check_says_what_to_do_and_a_release_has_nothing_to_do(
    shell: MemoryShell, path: Path
) -> None:
    check, release = later(shell, "check", path), later(shell, "release", path)

    assert check.exit_code == 2
    assert "run `gcs-ci-lock acquire` first, with the same --lease-file" in check.err
    assert release.exit_code == 0
    assert release.err == f"Nothing to release: there is no lease file {path}\n"


def test_a_lease_that_is_only_asked_for_is_not_held(
    shell: MemoryShell, path: Path, acquire: Callable[..., Ended]
) -> None:
    acquire()
    lease_file = LeaseFile(path)
    lease_ref = lease_file.read()
    assert lease_ref is not None
    lease_file.write(replace(lease_ref, token=0))

    ended = later(shell, "check", path)

    assert ended.exit_code == 75
    assert 'lock "prod" is not acquired yet' in ended.err


def test_a_lease_is_released_and_its_file_is_gone(
    shell: MemoryShell, path: Path, acquire: Callable[..., Ended]
) -> None:
    acquire()

    ended = later(shell, "release", path)

    assert (ended.exit_code, ended.err) == (0, f'Released lock "prod" (fencing token {TOKEN})\n')
    assert shell.holders() == []
    assert not path.exists()
    assert not path.with_name("lease.keeper").exists()


def test_a_lease_whose_process_lost_it_is_released_as_lost(
    shell: MemoryShell, path: Path, acquire: Callable[..., Ended], background: Background
) -> None:
    acquire()
    background.end("token 7 could not be renewed", loss=LossReason.RENEWAL_OVERDUE)

    ended = later(shell, "release", path)

    assert ended.exit_code == 76
    assert "token 7 could not be renewed" in ended.err
    assert shell.record().history[-1].loss is LossReason.RENEWAL_OVERDUE
    assert not path.exists()


def test_a_lease_of_another_is_never_released(
    shell: MemoryShell, path: Path, acquire: Callable[..., Ended]
) -> None:
    acquire()
    evict(shell.world.client("admin").lock, "me-1", note="stuck")
    shell.world.client("rival").hold(wait=10)

    ended = later(shell, "release", path)

    assert ended.exit_code == 76
    assert shell.holders() == ["rival-1"]


@pytest.mark.fault
def test_a_release_that_nobody_answers_is_an_error(
    shell: MemoryShell, path: Path, acquire: Callable[..., Ended]
) -> None:
    outage = Outage()
    acquire()
    shell.client = shell.world.client("later", fault=outage)
    outage.down = True

    ended = later(shell, "release", path)

    assert ended.exit_code == 69
    assert 'lock "prod" could not be released' in ended.err
    assert "at most 2m08s after its last renewal" in ended.err
    assert shell.holders() == ["me-1"]


def test_a_lease_that_its_process_released_while_the_file_was_away_was_lost(
    shell: MemoryShell, path: Path, acquire: Callable[..., Ended], background: Background
) -> None:
    acquire()
    shell.world.client("keeper").lock.release("me-1")
    background.end(f"token {TOKEN} was released")

    ended = later(shell, "release", path)

    assert ended.exit_code == 76
    assert f"token {TOKEN} was released" in ended.err
