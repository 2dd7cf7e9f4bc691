"""The lease file, and the lock on who works for it."""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gcs_ci_lock.errors import UsageError
from gcs_ci_lock.keepalive.lease_file import KeeperFileLock, KeeperInfo, LeaseFile
from gcs_ci_lock.protocol.record import LossReason
from tests.support.fakes import FakeClock
from tests.support.samples import LEASE_REF

pytestmark = pytest.mark.example


@pytest.fixture
def lease_file(tmp_path: Path) -> LeaseFile:
    return LeaseFile(tmp_path / "lease")


@pytest.fixture
def file_lock(lease_file: LeaseFile) -> Iterator[KeeperFileLock]:
    lock = KeeperFileLock.acquire(lease_file, FakeClock())
    yield lock
    try:
        lock.close()
    except OSError:
        return


def test_a_lease_is_read_as_it_was_written_and_by_its_owner_alone(lease_file: LeaseFile) -> None:
    lease_file.write(LEASE_REF)

    assert lease_file.read() == LEASE_REF
    assert lease_file.path.stat().st_mode & 0o777 == 0o600
    assert lease_file.names_lease(LEASE_REF.lease)
    assert not lease_file.names_lease("another")


def test_no_file_is_no_lease(lease_file: LeaseFile) -> None:
    assert lease_file.read() is None
    assert not lease_file.names_lease(LEASE_REF.lease)
    assert lease_file.keeper_info() == KeeperInfo(alive=False)


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda path: path.chmod(0o644), "is readable by others or owned by another user"),
        (lambda path: path.write_text("{}"), "does not describe a lease"),
        (lambda path: (path.unlink(), path.mkdir()), "cannot be read"),
    ],
    ids=["exposed", "damaged", "a folder"],
)
def test_a_spoiled_file_is_refused_and_names_no_lease(
    lease_file: LeaseFile, spoil: Callable[[Path], object], problem: str
) -> None:
    lease_file.write(LEASE_REF)
    spoil(lease_file.path)

    with pytest.raises(UsageError, match=problem):
        lease_file.read()
    assert not lease_file.names_lease(LEASE_REF.lease)


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    lease_file = LeaseFile(tmp_path / "none" / "lease")

    with pytest.raises(UsageError, match="none/lease cannot be written"):
        lease_file.write(LEASE_REF)
    with pytest.raises(UsageError, match="none/lease cannot be written"):
        KeeperFileLock.acquire(lease_file, FakeClock())


def test_a_file_is_ours_until_it_is_gone_or_names_another_lease(lease_file: LeaseFile) -> None:
    before = lease_file.still_ours()
    lease_file.write(LEASE_REF)
    written = lease_file.still_ours()
    LeaseFile(lease_file.path).write(replace(LEASE_REF, lease="another"))
    replaced = lease_file.still_ours()
    lease_file.path.unlink()

    assert (before, written, replaced) == (True, True, False)
    assert not lease_file.still_ours()


@pytest.mark.usefixtures("file_lock")
def test_only_a_file_that_we_wrote_is_discarded(lease_file: LeaseFile) -> None:
    LeaseFile(lease_file.path).write(LEASE_REF)

    lease_file.discard()
    others = lease_file.path.exists()
    lease_file.write(LEASE_REF)
    lease_file.discard()

    assert others
    assert not lease_file.path.exists()
    assert not lease_file.keeper_path.exists()


@pytest.mark.usefixtures("file_lock")
def test_a_file_is_removed_with_its_keepers_even_if_there_is_none(lease_file: LeaseFile) -> None:
    lease_file.write(LEASE_REF)

    lease_file.remove()
    lease_file.remove()

    assert not lease_file.path.exists()
    assert not lease_file.keeper_path.exists()


def test_who_works_for_a_file_is_seen_while_it_lives(
    lease_file: LeaseFile, file_lock: KeeperFileLock
) -> None:
    file_lock.write_working()
    working = lease_file.keeper_info()
    file_lock.write_ended("token 41 was evicted", loss=LossReason.EVICTED)
    file_lock.close()

    assert working == KeeperInfo(alive=True, pid=os.getpid())
    assert lease_file.keeper_info() == KeeperInfo(
        alive=False, pid=os.getpid(), ended="token 41 was evicted", loss=LossReason.EVICTED
    )


def test_an_end_without_a_loss_has_a_sentence_alone(
    lease_file: LeaseFile, file_lock: KeeperFileLock
) -> None:
    file_lock.write_ended("token 41 was released")

    info = lease_file.keeper_info()

    assert (info.ended, info.loss) == ("token 41 was released", None)


@pytest.mark.usefixtures("file_lock")
def test_only_one_works_for_a_file(lease_file: LeaseFile) -> None:
    clock = FakeClock()
    began = clock.now

    with pytest.raises(UsageError, match="is in use by another gcs-ci-lock"):
        KeeperFileLock.acquire(lease_file, clock)

    assert clock.now - began == pytest.approx(0.5)


@pytest.mark.usefixtures("file_lock")
def test_a_file_whose_owner_deletes_it_meanwhile_is_locked_anew(lease_file: LeaseFile) -> None:
    clock = FakeClock()
    # Its owner ends and removes the file between our two looks.
    clock.after(0.1, lease_file.keeper_path.unlink)

    ours = KeeperFileLock.acquire(lease_file, clock)

    assert lease_file.keeper_info().alive
    ours.close()


def test_a_keeper_ends_when_its_file_is_gone(
    lease_file: LeaseFile, file_lock: KeeperFileLock
) -> None:
    clock = FakeClock()
    lease_file.write(LEASE_REF)
    # As another process would have written it.
    os.pwrite(file_lock.descriptor, b"1 \n", 0)
    clock.after(3.0, file_lock.close)

    assert lease_file.stop_keeper(clock, within=30.0)
    assert not lease_file.path.exists()


def test_a_keeper_that_does_not_end_is_given_up(
    lease_file: LeaseFile, file_lock: KeeperFileLock
) -> None:
    clock = FakeClock()
    os.pwrite(file_lock.descriptor, b"1 \n", 0)
    began = clock.now

    assert not lease_file.stop_keeper(clock, within=30.0)
    assert clock.now - began == pytest.approx(30.0, abs=0.1)


def test_nobody_waits_for_itself(lease_file: LeaseFile, file_lock: KeeperFileLock) -> None:
    file_lock.write_working()

    assert lease_file.stop_keeper(FakeClock(), within=30.0)


def test_a_path_in_a_folder_that_is_gone_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()

    with pytest.raises(UsageError, match="the working directory is gone"):
        LeaseFile(Path("lease"))
