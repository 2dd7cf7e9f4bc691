"""How a wait is shown: which observer it gets."""

import io
import sys
from collections.abc import Callable

import pytest

from gcs_ci_lock.cli.progress import wait_observer
from gcs_ci_lock.report.wait_live import WaitDisplay
from gcs_ci_lock.report.wait_log import WaitLog
from tests.support.fakes import FakeClock
from tests.support.memory_shell import MemoryShell
from tests.support.samples import WAIT_STATUS

pytestmark = pytest.mark.example


class Stream(io.StringIO):
    """A standard error, which may be a terminal."""

    encoding = "utf-8"

    def __init__(self, *, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        if self.closed:
            raise ValueError
        return self._terminal


Shown = Callable[..., type]


@pytest.fixture
def shown(shell: MemoryShell, monkeypatch: pytest.MonkeyPatch) -> Shown:
    """Return what tells the observer of a wait with a certain standard error."""
    shell.environ["TERM"] = "xterm"

    def shown(stream: Stream | None, *, lines_between: bool = False) -> type:
        leases: list[str] = []
        monkeypatch.setattr(sys, "stderr", stream)
        with wait_observer(leases.append, clock=FakeClock(), lines_between=lines_between) as one:
            one.on_claim("k3v9")
        assert leases == ["k3v9"]
        return type(one)

    return shown


def test_on_a_terminal_it_is_drawn(shown: Shown) -> None:
    assert shown(Stream(terminal=True)) is WaitDisplay


def test_lines_between_would_tear_a_drawing(shown: Shown) -> None:
    assert shown(Stream(terminal=True), lines_between=True) is WaitLog


@pytest.mark.parametrize(
    "environ", [{"TERM": "dumb"}, {"TERM": ""}, {"TERM": "unknown"}, {"CI": "true"}], ids=str
)
def test_where_nothing_can_be_drawn_it_is_lines(
    shell: MemoryShell, shown: Shown, environ: dict[str, str]
) -> None:
    shell.environ |= environ

    assert shown(Stream(terminal=True)) is WaitLog


def test_what_is_no_terminal_gets_lines(shown: Shown) -> None:
    closed = Stream(terminal=True)
    closed.close()

    assert shown(Stream(terminal=False)) is WaitLog
    assert shown(closed) is WaitLog
    assert shown(None) is WaitLog


@pytest.mark.parametrize(
    ("environ", "sign"),
    [({"GITHUB_ACTIONS": "true"}, "::group::"), ({"GITLAB_CI": "true"}, "section_start"), ({}, "")],
    ids=["github", "gitlab", "local"],
)
def test_a_log_that_can_fold_the_lines_folds_them(
    shell: MemoryShell,
    capsys: pytest.CaptureFixture[str],
    environ: dict[str, str],
    sign: str,
) -> None:
    shell.environ |= environ

    with wait_observer(lambda _: None, clock=FakeClock(), lines_between=False) as observer:
        observer.on_wait(WAIT_STATUS)

    err = capsys.readouterr().err
    assert 'Waiting for lock "prod"' in err
    assert sign in err
    assert ("::group::" in err) == (sign == "::group::")
