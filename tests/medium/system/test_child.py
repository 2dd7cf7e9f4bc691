"""A child process: how it is started, supervised, stopped, and that it dies with its parent."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from gcs_ci_lock.errors import UsageError
from gcs_ci_lock.locking.lease import Lost
from gcs_ci_lock.protocol.record import LossReason
from gcs_ci_lock.system.child import Child, ChildExited, die_with_parent
from gcs_ci_lock.system.clock import SystemClock
from tests.support.shell import until

pytestmark = pytest.mark.example

PATH = {"PATH": os.environ["PATH"]}
LOST = Lost(reason=LossReason.EXPIRED, message="token 41 expired")


def sh(script: str, environ: Mapping[str, str] = PATH) -> Child:
    return Child.start(["sh", "-c", script], environ)


def supervise(
    child: Child,
    *,
    lost: Lost | None = None,
    kill_within: float = 10.0,
    pending: int | None = None,
) -> ChildExited | Lost:
    return child.supervise(
        lambda: lost, clock=SystemClock(), kill_within=kill_within, pending=lambda: pending
    )


@pytest.mark.parametrize(("script", "exit_code"), [("exit 7", 7), ("kill -9 $$", 137)])
def test_the_exit_code_is_that_of_a_shell(script: str, exit_code: int) -> None:
    assert supervise(sh(script)) == ChildExited(exit_code=exit_code)


def test_the_environment_is_the_one_given(tmp_path: Path) -> None:
    supervise(sh(f'echo "$TOKEN $HOME" > {tmp_path}/out', {**PATH, "TOKEN": "41"}))

    assert (tmp_path / "out").read_text() == "41 \n"


@pytest.mark.parametrize(("argv", "why"), [("/no/such", "No such file"), ("/tmp", "ermission")])  # noqa: S108
def test_a_program_that_cannot_be_run_is_an_error_of_usage(argv: str, why: str) -> None:
    with pytest.raises(UsageError, match=f'cannot run "{argv}": .*{why}'):
        Child.start([argv], PATH)


def test_a_loss_ends_the_child_by_sigterm(tmp_path: Path) -> None:
    child = sh(f'trap "echo term > {tmp_path}/out; exit" TERM; while :; do sleep 0.05; done')

    assert supervise(child, lost=LOST) == LOST
    assert (tmp_path / "out").read_text() == "term\n"


def test_a_child_that_ignores_sigterm_is_killed_after_the_grace() -> None:
    clock = SystemClock()
    child = sh('trap "" TERM; while :; do sleep 0.05; done')
    began = clock.boottime()

    assert supervise(child, lost=LOST, kill_within=0.5) == LOST
    assert clock.boottime() - began < 5


def test_a_signal_that_came_before_is_sent_on() -> None:
    assert supervise(sh("sleep 60"), pending=signal.SIGINT) == ChildExited(exit_code=130)


def test_the_handlers_are_as_before_afterwards() -> None:
    before = signal.getsignal(signal.SIGTERM)

    supervise(sh("true"))

    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux signals children of the dead")
def test_a_child_dies_with_its_parent(tmp_path: Path) -> None:
    program = (
        "import os, signal, subprocess, sys, time\n"
        "from gcs_ci_lock.system.child import die_with_parent\n"
        "child = subprocess.Popen(['sleep', '60'], preexec_fn=die_with_parent(signal.SIGKILL))\n"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(child.pid))\n"
        "os._exit(0)\n"
    )

    subprocess.run([sys.executable, "-c", program], check=True)

    pid = int((tmp_path / "pid").read_text())
    until(lambda: not is_running(pid))


def test_a_child_whose_parent_lives_is_left_alone() -> None:
    done = subprocess.run(
        ["true"],
        preexec_fn=die_with_parent(signal.SIGKILL),
        check=False,
    )

    assert done.returncode == 0


def is_running(pid: int) -> bool:
    try:
        # A zombie runs no more: it only waits to be collected.
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
