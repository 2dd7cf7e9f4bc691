"""A command that runs while a lease is held: it gets our signals, and is stopped on a loss."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Self

from gcs_ci_lock.errors import UsageError
from gcs_ci_lock.locking.lease import Lost
from gcs_ci_lock.ports import Clock
from gcs_ci_lock.protocol.text import printable
from gcs_ci_lock.system.signals import STOP_SIGNALS, is_ignored_hangup

# Seconds between SIGTERM and SIGKILL for a command whose lease is lost. It must be dead ttl/6 after
# the lease is given up, so a short ttl gives it less.
GRACE = 10.0
_LOOK_EVERY = 0.2
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildExited:
    """The command ended by itself, or by a signal that was sent to it.

    Attributes:
        exit_code: as in a shell: 128 + N if signal N ended it.
    """

    exit_code: int


class Child:
    """One child process in a process group of its own.

    The kernel sends it SIGTERM when this process dies, because nothing renews the lease then. That
    signal reaches the child itself, not the processes that it started.

    Args:
        process: leads its own group; `start` makes one.
    """

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._child = process
        self._terminal = _Terminal(process.pid)

    @classmethod
    def start(cls, argv: Sequence[str], environ: Mapping[str, str]) -> Self:
        """Start a command; no thread may run yet.

        Args:
            argv: the program and its arguments; no shell is put in between.
            environ: the command's whole environment.

        Raises:
            UsageError: there is no such program, or it may not be executed.
        """
        try:
            # Running the user's own command is what this is for.
            process = subprocess.Popen(  # noqa: S603
                argv,
                env=dict(environ),
                process_group=0,
                preexec_fn=die_with_parent(signal.SIGTERM),  # noqa: PLW1509 - no thread runs yet
            )
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            message = f'cannot run "{printable(argv[0])}": {printable(reason)}'
            raise UsageError(message) from None
        return cls(process)

    def supervise(
        self,
        lost: Callable[[], Lost | None],
        *,
        clock: Clock,
        kill_within: float,
        pending: Callable[[], int | None],
    ) -> ChildExited | Lost:
        """Wait until it ends; on a loss send SIGTERM, and SIGKILL after a grace.

        Args:
            lost: returns the loss of the lease, or None; called five times a second.
            clock: times the grace.
            kill_within: seconds from the loss to SIGKILL at most.
            pending: returns the signal that arrived before signals were forwarded, or None.
        """
        with _Forwarding(self._signal), self._terminal:
            if (number := pending()) is not None:
                self._signal(number)
            while True:
                if (exit_code := self._wait(_LOOK_EVERY)) is not None:
                    return ChildExited(exit_code=exit_code)
                self._terminal.resume_if_stopped()
                if (loss := lost()) is not None:
                    self._end(clock, min(GRACE, kill_within))
                    return loss

    def _end(self, clock: Clock, grace: float) -> None:
        until = clock.boottime() + grace
        self._signal(signal.SIGTERM)
        while clock.boottime() < until:
            if self._wait(min(_LOOK_EVERY, max(until - clock.boottime(), 0.0))) is not None:
                break
        # Its whole group, so that processes which it left behind end too.
        self._signal(signal.SIGKILL)
        self._child.wait()

    def _wait(self, seconds: float) -> int | None:
        try:
            code = self._child.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            return None
        return 128 - code if code < 0 else code

    def _signal(self, number: int) -> None:
        _send(self._child.pid, number)


def die_with_parent(number: int) -> Callable[[], None]:
    """Return a `preexec_fn` by which the child gets a signal when this process dies.

    Only on Linux; elsewhere the child goes on without its parent.

    Args:
        number: the signal.
    """
    # Looked up before the fork: after it nothing may be imported or allocated.
    prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None
    parent = os.getpid()

    def ask_kernel() -> None:
        if prctl is not None:
            prctl(_PR_SET_PDEATHSIG, number)
            if os.getppid() != parent:
                # The parent died before the kernel was asked.
                os._exit(128 + number)

    return ask_kernel


def _send(group: int, number: int) -> None:
    """Signal a process group, if it still exists."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
        if number in STOP_SIGNALS:
            # A stopped process handles the signal only after it is continued.
            os.killpg(group, signal.SIGCONT)


class _Forwarding:
    """While it is entered, signals go to the command instead of ending this process."""

    def __init__(self, send: Callable[[int], None]) -> None:
        self._send = send
        self._before: dict[int, object] = {}

    def __enter__(self) -> None:
        for number in STOP_SIGNALS:
            if not is_ignored_hangup(number):
                self._before[number] = signal.signal(number, self._forward)

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # as signal() returned it

    def _forward(self, number: int, _frame: FrameType | None) -> None:
        self._send(number)


class _Terminal:
    """Gives the terminal to the command's process group, so that it can read and be interrupted."""

    def __init__(self, group: int) -> None:
        self._group = group
        self._ours: int | None = None

    def __enter__(self) -> None:
        try:
            if os.isatty(0) and os.tcgetpgrp(0) == os.getpgrp():
                self._ours = os.getpgrp()
                os.tcsetpgrp(0, self._group)
                # It may have used the terminal before it got it, and been stopped for that.
                _send(self._group, signal.SIGCONT)
        except OSError:
            self._ours = None

    def resume_if_stopped(self) -> None:
        """Continue a command that was stopped from the terminal.

        No shell knows of it, so nothing else could continue it while its lease is renewed.
        """
        if self._ours is None or not hasattr(os, "waitid"):
            return
        with contextlib.suppress(ChildProcessError):
            if os.waitid(os.P_PID, self._group, os.WSTOPPED | os.WNOHANG) is not None:
                _send(self._group, signal.SIGCONT)

    def __exit__(self, *_: object) -> None:
        if self._ours is None:
            return
        # From the background, taking the terminal back would stop this process by SIGTTOU.
        before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        try:
            os.tcsetpgrp(0, self._ours)
        except OSError:
            return
        finally:
            signal.signal(signal.SIGTTOU, before)
