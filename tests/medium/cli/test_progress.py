"""A wait that is watched on a terminal: drawn, taken away, and never the lock's trouble."""

import os
import pty
import select
import signal
import subprocess
import termios
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support.bucket import TestBucket
from tests.support.shell import Site, until

pytestmark = pytest.mark.end_to_end

HIDE, SHOW, CLEAR = "\x1b[?25l", "\x1b[?25h", "\x1b[2K"


@pytest.fixture
def site(bucket: TestBucket, tmp_path: Path) -> Iterator[Site]:
    with Site(bucket, tmp_path) as site:
        yield site


@pytest.fixture
def screen() -> Iterator["Screen"]:
    screen = Screen()
    yield screen
    screen.close()


class Screen:
    """A terminal, seen from where its user sits."""

    def __init__(self) -> None:
        self._ours, self.theirs = pty.openpty()
        self._log = b""
        self._gone = False

    @property
    def log(self) -> str:
        """Return all that it was sent."""
        while not self._gone and select.select([self._ours], [], [], 0)[0]:
            self._log += os.read(self._ours, 65_536)
        return self._log.decode()

    @property
    def modes(self) -> list[Any]:
        return termios.tcgetattr(self.theirs)

    def hang_up(self) -> None:
        self._gone = True
        os.close(self._ours)

    def close(self) -> None:
        if not self._gone:
            self.hang_up()
        with suppress(OSError):
            os.close(self.theirs)


def wait_on(site: Site, screen: Screen, **environ: str) -> "subprocess.Popen[bytes]":
    """Wait for a lock that is held, and watch until that is told."""
    process = site.spawn(
        *("run", "prod", *site.at, "--", "true"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=screen.theirs,
        environ={"TERM": "xterm", **environ},
    )
    until(lambda: "waited" in screen.log)
    return process


def test_a_wait_is_drawn_and_taken_away_when_the_lock_is_had(site: Site, screen: Screen) -> None:
    holder = site.hold("prod")
    modes = screen.modes

    waiting = wait_on(site, screen)
    until(lambda: CLEAR in screen.log)
    holder.send(signal.SIGTERM)
    exit_code = waiting.wait(timeout=60)

    _, _, after = screen.log.rpartition(CLEAR)
    assert exit_code == 0
    assert "╭─" in screen.log
    assert f'Waiting for lock "prod" ({site.bucket.uri}' not in screen.log
    assert "Waiting" not in after
    assert after.index("Acquired lock") < after.index("Released lock")
    assert screen.log.rfind(SHOW) > screen.log.rfind(HIDE)
    assert screen.modes == modes


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_takes_the_drawing_away(
    site: Site, screen: Screen, number: signal.Signals
) -> None:
    site.hold("prod")
    modes = screen.modes
    waiting = wait_on(site, screen)

    waiting.send_signal(number)
    exit_code = waiting.wait(timeout=60)

    _, _, after = screen.log.rpartition(CLEAR)
    assert exit_code == 128 + number
    assert after.endswith('Stopped waiting for lock "prod"\r\n')
    assert screen.log.rfind(SHOW) > screen.log.rfind(HIDE)
    assert screen.modes == modes
    assert site.bucket.tickets("prod") == []


def test_a_wait_that_is_killed_leaves_the_cursor_to_be_seen(site: Site, screen: Screen) -> None:
    site.hold("prod")
    modes = screen.modes
    waiting = wait_on(site, screen)

    waiting.kill()
    waiting.wait(timeout=60)

    assert screen.log.rfind(SHOW) > screen.log.rfind(HIDE)
    assert screen.modes == modes


@pytest.mark.fault
def test_a_screen_that_goes_away_costs_nobody_the_lock(site: Site, screen: Screen) -> None:
    holder = site.hold("prod")
    waiting = wait_on(site, screen)

    screen.hang_up()
    holder.send(signal.SIGTERM)

    assert waiting.wait(timeout=60) == 0
    assert len(site.bucket.record("prod")["history"]) == 2
    assert site.holders("prod") == []


@pytest.mark.parametrize(
    "environ", [{"TERM": "dumb"}, {"CI": "true"}, {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"}]
)
def test_lines_are_printed_where_nothing_can_be_drawn(
    site: Site, screen: Screen, environ: dict[str, str]
) -> None:
    site.hold("prod")
    waiting = wait_on(site, screen, **environ)

    waiting.send_signal(signal.SIGTERM)
    waiting.wait(timeout=60)

    assert "\r\n  held by   " in screen.log
    assert "\x1b" not in screen.log
