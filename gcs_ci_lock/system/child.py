"""Runs a command under a lease: signals go to it, and a loss ends it."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import FrameType

from gcs_ci_lock.errors import UsageError
from gcs_ci_lock.locking.lease import Lost
from gcs_ci_lock.ports import Clock
from gcs_ci_lock.protocol.text import printable

# Between SIGTERM and SIGKILL for a command whose lease is lost; ttl/6 after give-up is the bound,
# so that a shorter lease gives less.
GRACE = 10.0
_LOOK_EVERY = 0.2
_PR_SET_PDEATHSIG = 1
_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildExited:
    """The command ended by itself, or by a signal that was meant for it.

    Attributes:
        exit_code: as a shell would tell it: 128 + N where signal N ended it.
    """

    exit_code: int


class Child:
    """One child process in a process group of its own.

    It is told SIGTERM by the kernel when this process dies: a lease that nobody renews any more
    must not go on being worked under. That reaches the child itself, not what it started.
    """

    def __init__(self, argv: Sequence[str], environ: Mapping[str, str]) -> None:
        """Start it.

        Raises:
            UsageError: there is no such program, or it may not be run.
        """
        # Looked up before the fork, where nothing may be imported or allocated any more.
        prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None
        parent = os.getpid()

        def die_with_parent() -> None:
            if prctl is not None:
                prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
                if os.getppid() != parent:
                    # It was gone before it could be asked for: nobody keeps the lease.
                    os._exit(128 + signal.SIGTERM)

        try:
            # The user's own command is what this is for; no shell is put in between.
            self._child = subprocess.Popen(  # noqa: S603
                argv,
                env=dict(environ),
                process_group=0,
                preexec_fn=die_with_parent,  # noqa: PLW1509 - no thread of ours runs yet
            )
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            message = f'cannot run "{printable(argv[0])}": {printable(reason)}'
            raise UsageError(message) from None
        self._terminal = _Terminal(self._child.pid)

    def supervise(
        self,
        lost: Callable[[], Lost | None],
        *,
        clock: Clock,
        kill_within: float,
        pending: Callable[[], int | None],
    ) -> ChildExited | Lost:
        """Wait until it ends; on loss it gets SIGTERM, and SIGKILL after a grace.

        Args:
            lost: asked several times a second.
            clock: for the grace.
            kill_within: seconds from the loss to SIGKILL at most.
            pending: tells the signal that came before signals went to the command, or None.
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
        # Whatever it started and left behind goes too.
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


def _send(group: int, number: int) -> None:
    """Signal a process group, if there still is one."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
        if number in _FORWARDED:
            # One that is stopped takes it only when it goes on.
            os.killpg(group, signal.SIGCONT)


class _Forwarding:
    """While it is entered, our signals go to the command instead of ending us."""

    def __init__(self, send: Callable[[int], None]) -> None:
        self._send = send
        self._before: dict[int, object] = {}

    def __enter__(self) -> None:
        for number in _FORWARDED:
            # Whoever was started by nohup outlives its terminal.
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._forward)

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal() gave us

    def _forward(self, number: int, _frame: FrameType | None) -> None:
        self._send(number)


class _Terminal:
    """Lends the terminal to the command's process group, so that it can read and be interrupted."""

    def __init__(self, group: int) -> None:
        self._group = group
        self._ours: int | None = None

    def __enter__(self) -> None:
        try:
            if os.isatty(0) and os.tcgetpgrp(0) == os.getpgrp():
                self._ours = os.getpgrp()
                os.tcsetpgrp(0, self._group)
                # It may have asked for the terminal before it had it, and been stopped for that.
                _send(self._group, signal.SIGCONT)
        except OSError:
            self._ours = None

    def resume_if_stopped(self) -> None:
        """Let a command that was stopped from the terminal go on.

        Nobody could start it again: no shell knows of it, and its lease would go on being renewed.
        """
        if self._ours is None or not hasattr(os, "waitid"):
            return
        with contextlib.suppress(ChildProcessError):
            if os.waitid(os.P_PID, self._group, os.WSTOPPED | os.WNOHANG) is not None:
                _send(self._group, signal.SIGCONT)

    def __exit__(self, *_: object) -> None:
        if self._ours is None:
            return
        # We are in the background now, where taking the terminal back would stop us.
        before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        try:
            os.tcsetpgrp(0, self._ours)
        except OSError:
            return
        finally:
            signal.signal(signal.SIGTTOU, before)
