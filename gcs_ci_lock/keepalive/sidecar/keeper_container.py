"""One keeper's container: hear it, stop it."""

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
MOST_LINES = 200
# A keeper that is stopped releases within its own patience of 20 s.
STOP_WITHIN = 30.0
_REMOVED_WITHIN = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class KeeperOutput:
    """What a keeper has said so far.

    Attributes:
        news: its last news, or None.
        lines: its last lines for people.
    """

    status: KeeperStatus | None = None
    lines: Sequence[str] = ()


class KeeperContainer:
    """One keeper's container."""

    def __init__(self, container: Container, clock: Clock) -> None:
        """Take a container that carries the lease's label."""
        self._container = container
        self._clock = clock

    @property
    def lease(self) -> str:
        """The lease id that it keeps."""
        return str(self._container.labels.get(LEASE_LABEL, ""))

    @property
    def runs(self) -> bool:
        """Tell whether it was started, and has not ended: one that is paused may go on."""
        return str(self._container.status) in ("running", "paused", "restarting")

    def output(self) -> KeeperOutput:
        """Return what it has said; a container that is gone has said nothing."""
        try:
            out, err = (self._logs(stdout=out, follow=False) for out in (True, False))
            return _parse_output(b"".join(out), b"".join(err))
        except ENGINE_ERRORS:
            return KeeperOutput()

    def stop(self) -> KeeperOutput:
        """Let it release the lease and end; return all that it said.

        One that does not end in time is killed.
        """
        if not self.runs:
            self.remove()
            return KeeperOutput()
        # It removes itself when it ends: what it says has to be heard meanwhile. Not by attaching:
        # that forgets what was said before, if the end comes soon.
        listeners = [_Listener(self._logs, stdout=out) for out in (True, False)]
        with contextlib.suppress(*ENGINE_ERRORS):
            self._container.kill(signal="SIGTERM")
        until = self._clock.boottime() + STOP_WITHIN
        for listener in listeners:
            listener.join(max(until - self._clock.boottime(), 0.0))
        self.remove()
        out, err = (listener.heard() for listener in listeners)
        return _parse_output(out, err)

    def _logs(self, *, stdout: bool, follow: bool) -> Iterator[bytes]:
        return cast(
            "Iterator[bytes]",
            self._container.logs(
                stdout=stdout, stderr=not stdout, tail=MOST_LINES, stream=True, follow=follow
            ),
        )

    def remove(self) -> None:
        """Kill and remove it, if it is there."""
        with contextlib.suppress(*ENGINE_ERRORS):
            self._container.remove(force=True)
        until = self._clock.boottime() + _REMOVED_WITHIN
        # An engine that is removing it already answers at once.
        while self._exists() and self._clock.boottime() < until:
            self._clock.sleep(0.05)

    def _exists(self) -> bool:
        try:
            self._container.reload()
        except ENGINE_ERRORS:
            return False
        return True


class _Listener(threading.Thread):
    """Hears one stream of a container to its end."""

    def __init__(self, logs: Callable[..., Iterator[bytes]], *, stdout: bool) -> None:
        super().__init__(name="listener", daemon=True)
        self._chunks: Iterable[bytes] = ()
        self._heard: list[bytes] = []
        with contextlib.suppress(*ENGINE_ERRORS):
            # The request is made here, before anybody ends the container.
            self._chunks = logs(stdout=stdout, follow=True)
        self.start()

    def run(self) -> None:
        with contextlib.suppress(*ENGINE_ERRORS):
            for chunk in self._chunks:
                self._heard.append(chunk)

    def heard(self) -> bytes:
        self.join(1.0)
        return b"".join(self._heard)


class AttachedStreams:
    """The standard streams of a container that is about to start."""

    def __init__(self, container: Container) -> None:
        """Attach to it."""
        params = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
        self._stream = cast("Any", container.attach_socket(params=params))
        # What docker returns here wraps the socket for reading only.
        self._socket: socket.socket = getattr(self._stream, "_sock", self._stream)
        self._frames: queue.Queue[tuple[int, bytes] | None] = queue.Queue()

    def send(self, text: str) -> None:
        """Send a text to its standard input, and close it."""
        self._socket.sendall(text.encode())
        self._socket.shutdown(socket.SHUT_WR)

    def wait_for_first_status(self, within: float) -> str:
        """Wait for the first renewal; return what kept it from coming, or ""."""
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
            now = _parse_output(bytes(out), bytes(err))
            if now.status is not None and now.status.phase == "keeping":
                return ""
            if frame is None or (now.status is not None and now.status.final):
                last = now.lines[-1] if now.lines else "it said nothing"
                return now.status.reason if now.status else last

    def _listen(self) -> None:
        with contextlib.suppress(*ENGINE_ERRORS, ValueError):
            for stream, chunk in frames_iter(self._stream, tty=False):  # type: ignore[no-untyped-call]
                self._frames.put((stream, chunk))
        self._frames.put(None)


def _parse_output(out: bytes, err: bytes) -> KeeperOutput:
    status = [KeeperStatus.from_json(line) for line in out.decode(errors="replace").splitlines()]
    told = [one for one in status if one is not None]
    lines = [printable(line) for line in err.decode(errors="replace").splitlines() if line.strip()]
    return KeeperOutput(status=told[-1] if told else None, lines=lines[-MOST_LINES:])
