"""The container of one keeper: read its output, stop it."""

import contextlib
import queue
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from docker.models.containers import Container
from docker.utils.socket import STDOUT, frames_iter

from gcs_ci_lock.keepalive.sidecar.errors import ENGINE_ERRORS
from gcs_ci_lock.keepalive.sidecar.messages import KeeperStatus
from gcs_ci_lock.ports import Clock
from gcs_ci_lock.protocol.text import printable

LEASE_LABEL: Final = "gcs-ci-lock.lease"
MAX_LINES = 200
# Seconds; a keeper that is stopped tries for 20 s to release.
STOP_WITHIN = 30.0
_REMOVED_WITHIN = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class KeeperOutput:
    """What a keeper has printed so far.

    Attributes:
        status: its last status, or None.
        lines: its last lines for people.
    """

    status: KeeperStatus | None = None
    lines: Sequence[str] = ()


class KeeperContainer:
    """The container of one keeper.

    Args:
        container: has the lease's label.
        clock: its boot time counts.
    """

    def __init__(self, container: Container, clock: Clock) -> None:
        self._container = container
        self._clock = clock

    @property
    def lease(self) -> str:
        """The id of the lease that it renews."""
        return str(self._container.labels.get(LEASE_LABEL, ""))

    @property
    def runs(self) -> bool:
        """Whether it was started and has not ended; one that is paused may continue."""
        return str(self._container.status) in ("running", "paused", "restarting")

    def output(self) -> KeeperOutput:
        """Return what it has printed; nothing if the container is gone."""
        try:
            out, err = (self._logs(stdout=out, follow=False) for out in (True, False))
            return _parse_output(b"".join(out), b"".join(err))
        except ENGINE_ERRORS:
            return KeeperOutput()

    def stop(self) -> KeeperOutput:
        """Let it release the lease and end; return its output.

        A container that does not end in time is killed.
        """
        if not self.runs:
            self.remove()
            return KeeperOutput()
        # It removes itself when it ends, so its output must be read meanwhile. Attaching would lose
        # earlier output if it ends soon.
        listeners = [_Listener(self._logs, stdout=out) for out in (True, False)]
        with contextlib.suppress(*ENGINE_ERRORS):
            self._container.kill(signal="SIGTERM")
        until = self._clock.boottime() + STOP_WITHIN
        for listener in listeners:
            listener.join(max(until - self._clock.boottime(), 0.0))
        self.remove()
        out, err = (listener.output() for listener in listeners)
        return _parse_output(out, err)

    def _logs(self, *, stdout: bool, follow: bool) -> Iterator[bytes]:
        return cast(
            "Iterator[bytes]",
            self._container.logs(
                stdout=stdout, stderr=not stdout, tail=MAX_LINES, stream=True, follow=follow
            ),
        )

    def remove(self) -> None:
        """Kill and remove it, if it is there."""
        with contextlib.suppress(*ENGINE_ERRORS):
            self._container.remove(force=True)
        until = self._clock.boottime() + _REMOVED_WITHIN
        # If the engine is removing it already, the request returns before it is gone.
        while self._exists() and self._clock.boottime() < until:
            self._clock.sleep(0.05)

    def _exists(self) -> bool:
        try:
            self._container.reload()
        except ENGINE_ERRORS:
            return False
        return True


class _Listener(threading.Thread):
    """Reads one stream of a container to its end."""

    def __init__(self, logs: Callable[..., Iterator[bytes]], *, stdout: bool) -> None:
        super().__init__(name="listener", daemon=True)
        self._chunks: Iterable[bytes] = ()
        self._output: list[bytes] = []
        with contextlib.suppress(*ENGINE_ERRORS):
            # The request is made here, before the container is stopped.
            self._chunks = logs(stdout=stdout, follow=True)
        self.start()

    def run(self) -> None:
        with contextlib.suppress(*ENGINE_ERRORS):
            for chunk in self._chunks:
                self._output.append(chunk)

    def output(self) -> bytes:
        self.join(1.0)
        return b"".join(self._output)


class AttachedStreams:
    """The standard streams of a container that is about to start.

    Args:
        container: the constructor attaches to it, which must happen before it starts.
    """

    def __init__(self, container: Container) -> None:
        params = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
        self._stream = cast("Any", container.attach_socket(params=params))
        # Docker returns the socket in a wrapper that can only read.
        self._socket: socket.socket = getattr(self._stream, "_sock", self._stream)
        self._frames: queue.Queue[tuple[int, bytes] | None] = queue.Queue()

    def send(self, text: str) -> None:
        """Send a text to its standard input and close that."""
        self._socket.sendall(text.encode())
        self._socket.shutdown(socket.SHUT_WR)

    def wait_for_first_status(self, within: float) -> str:
        """Wait for the first renewal; return why there was none, or ""."""
        threading.Thread(target=self._listen, name="listener", daemon=True).start()
        out, err = bytearray(), bytearray()
        while True:
            try:
                frame = self._frames.get(timeout=within)
            except queue.Empty:
                return f"no renewal within {within:g} s"
            if frame is not None:
                stream, chunk = frame
                (out if stream == STDOUT else err).extend(chunk)
            output = _parse_output(bytes(out), bytes(err))
            status = output.status
            if status is not None and status.phase == "keeping":
                return ""
            if frame is None or (status is not None and status.final):
                last = output.lines[-1] if output.lines else "it printed nothing"
                return status.reason if status else last

    def _listen(self) -> None:
        with contextlib.suppress(*ENGINE_ERRORS, ValueError):
            for stream, chunk in frames_iter(self._stream, tty=False):  # type: ignore[no-untyped-call]
                self._frames.put((stream, chunk))
        self._frames.put(None)


def _parse_output(out: bytes, err: bytes) -> KeeperOutput:
    parsed = (KeeperStatus.from_json(line) for line in out.decode(errors="replace").splitlines())
    statuses = [status for status in parsed if status is not None]
    lines = [printable(line) for line in err.decode(errors="replace").splitlines() if line.strip()]
    return KeeperOutput(status=statuses[-1] if statuses else None, lines=lines[-MAX_LINES:])
