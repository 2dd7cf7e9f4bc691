"""Printing that never raises, whatever becomes of the stream."""

import io
import os
from pathlib import Path

import pytest

from gcs_ci_lock.system.console import (
    MAX_LINE,
    BestEffortStream,
    ensure_standard_fds,
    print_err,
    write_line,
    write_text,
)

pytestmark = pytest.mark.example


class Failing(io.StringIO):
    """A stream whose other end is gone."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def write(self, _text: str) -> int:
        raise self.error


ERRORS = [BrokenPipeError(), OSError(28, "no space left"), ValueError("closed file")]


def test_a_line_is_written_with_its_end_and_flushed(tmp_path: Path) -> None:
    path = tmp_path / "out"
    with path.open("w") as stream:
        assert write_line(stream, "a line")
        assert write_text(stream, "no end")

        assert path.read_text() == "a line\nno end"


@pytest.mark.fault
@pytest.mark.parametrize("error", ERRORS, ids=repr)
def test_a_stream_that_fails_is_reported_and_does_not_raise(error: Exception) -> None:
    assert not write_line(Failing(error), "x")


def test_a_process_without_the_stream_writes_nothing() -> None:
    assert not write_line(None, "x")


@pytest.mark.fault
def test_after_a_failure_the_stream_leads_to_dev_null(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    stream = os.fdopen(writing, "w")
    os.close(reading)

    assert not write_line(stream, "x")

    # What Python still has in its buffer is flushed at exit, and must not fail then.
    stream.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.fault
@pytest.mark.parametrize("error", ERRORS, ids=repr)
def test_a_library_never_sees_a_failure(error: Exception) -> None:
    assert BestEffortStream(Failing(error)).write("three") == 5


def test_a_library_writes_through() -> None:
    behind = io.StringIO()

    BestEffortStream(behind).write("text")

    assert behind.getvalue() == "text"


def test_lines_for_people_go_to_standard_error_and_hold_no_command(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_err("first\n::error::x\x1b[0m\n" + "y" * (MAX_LINE + 1))

    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == ""
    assert lines[0] == "first"
    assert not any(line.startswith("::") for line in lines)
    assert "\x1b" not in err
    assert len(lines[2]) == MAX_LINE


def test_standard_descriptors_that_are_closed_are_opened() -> None:
    opened: list[str] = []

    def closed(number: int) -> None:
        if number == 1:
            raise OSError(9, "closed")

    # Only here: the test runner needs both itself.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fstat", closed)
        patch.setattr(os, "open", lambda path, _flags: opened.append(path))
        ensure_standard_fds()

    assert opened == [os.devnull]
