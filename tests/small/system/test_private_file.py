"""Files that only this user can read or write."""

import os
import stat
from pathlib import Path

import pytest

from gcs_ci_lock.system.private_file import (
    MAX_BYTES,
    ExposedError,
    open_regular,
    read_private,
    write_private,
)

pytestmark = pytest.mark.example


def test_what_is_written_is_read_and_nobody_else_may(tmp_path: Path) -> None:
    path = tmp_path / "lease"

    write_private(path, "secret")

    assert read_private(path) == "secret\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "lease"
    path.write_text("a longer text that somebody else wrote")
    path.chmod(0o644)
    with path.open() as before:
        write_private(path, "new")

        assert before.read() == "a longer text that somebody else wrote"
    assert read_private(path) == "new\n"


@pytest.mark.fault
def test_a_file_that_cannot_be_replaced_leaves_no_draft(tmp_path: Path) -> None:
    folder = tmp_path / "lease"
    (folder / "inside").mkdir(parents=True)

    with pytest.raises(OSError, match=r"directory|not empty"):
        write_private(folder, "x")

    assert list(tmp_path.iterdir()) == [folder]
    with pytest.raises(FileNotFoundError):
        write_private(tmp_path / "missing" / "lease", "x")


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o660, 0o601, 0o777])
def test_a_file_that_is_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "lease"
    write_private(path, "x")
    path.chmod(mode)

    with pytest.raises(ExposedError) as refused:
        read_private(path)

    assert refused.value.strerror == "is readable by others or owned by another user"


def test_a_file_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "lease"
    write_private(path, "x")
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)

    with pytest.raises(ExposedError):
        read_private(path)


def test_a_file_that_is_not_there_is_told_apart(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_private(tmp_path / "lease")


def test_a_byte_that_is_no_text_becomes_a_lone_surrogate(tmp_path: Path) -> None:
    path = tmp_path / "lease"
    path.write_bytes(b"a\xff")
    path.chmod(0o600)

    assert read_private(path) == "a\udcff"


def test_a_file_without_end_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "lease"
    path.write_bytes(b"x" * (MAX_BYTES + 10))
    path.chmod(0o600)

    assert len(read_private(path)) == MAX_BYTES + 1


def test_a_pipe_in_the_place_of_a_file_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path, 0o600)

    with pytest.raises(OSError, match="not a regular file"):
        open_regular(path, os.O_RDONLY)
    with pytest.raises(OSError, match=r"not a regular file|directory"):
        open_regular(tmp_path, os.O_RDONLY)


def test_a_file_that_is_made_is_private(tmp_path: Path) -> None:
    path = tmp_path / "mark"

    descriptor = open_regular(path, os.O_RDWR | os.O_CREAT)

    assert not os.get_inheritable(descriptor)
    os.close(descriptor)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
