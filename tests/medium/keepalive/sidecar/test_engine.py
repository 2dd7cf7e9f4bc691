"""Where no keeper can be started: the action says why, and goes on without one if it may."""

import gc
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer

import pytest

from gcs_ci_lock.cli.app import app
from gcs_ci_lock.keepalive.sidecar.engine import PROGRAM, connect
from gcs_ci_lock.keepalive.sidecar.errors import SidecarUnavailable
from gcs_ci_lock.system.clock import SystemClock
from tests.support.bucket import TestBucket
from tests.support.runner import Step

pytestmark = [
    pytest.mark.fault,
    # The SDK leaves its socket open where an engine does not even tell its version.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    yield
    # Here, and not in a later test that has nothing to do with it.
    gc.collect()


@contextmanager
def engine(path: Path, status: int, body: bytes = b"{}") -> Iterator[None]:
    """A server on a socket that gives one answer to everything."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815 - the name that http.server looks for

        def address_string(self) -> str:
            return "a client"

        def log_message(self, *_: object) -> None:
            return

    class Server(ThreadingMixIn, UnixStreamServer):
        daemon_threads = True

    server = Server(str(path), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


def refusal(path: Path, **environ: str) -> str:
    with pytest.raises(SidecarUnavailable) as refused:
        connect({"DOCKER_HOST": f"unix://{path}", **environ}, SystemClock())
    return str(refused.value)


def test_a_missing_socket_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path / "docker.sock") == f"there is no Docker socket {tmp_path}/docker.sock"


def test_kubernetes_is_named_with_its_remedy(tmp_path: Path) -> None:
    said = refusal(tmp_path / "docker.sock", KUBERNETES_SERVICE_HOST="10.0.0.1")

    assert "Kubernetes mode of the runner has none: use its dind mode" in said


def test_a_directory_in_the_sockets_place_is_named_with_its_remedy(tmp_path: Path) -> None:
    said = refusal(tmp_path)

    assert "is a directory: expected the engine's socket" in said
    assert "rootless" in said


def test_a_socket_that_nobody_listens_on_is_named(tmp_path: Path) -> None:
    path = tmp_path / "docker.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))

    assert "the Docker engine refused" in refusal(path)


@pytest.mark.parametrize("status", [401, 403, 500])
def test_an_engine_that_refuses_is_named(tmp_path: Path, status: int) -> None:
    path = tmp_path / "docker.sock"

    with engine(path, status, b'{"message": "not for you ::error::x"}'):
        said = refusal(path)

    assert "the Docker engine refused" in said
    assert str(status) in said
    assert "::error::" not in said


def test_a_stranger_on_the_socket_is_no_engine(tmp_path: Path) -> None:
    path = tmp_path / "docker.sock"

    with engine(path, 200, b"hello"):
        assert "the Docker engine refused" in refusal(path)


def test_auto_falls_back_with_one_warning_that_names_the_remedy(
    bucket: TestBucket, tmp_path: Path
) -> None:
    path = tmp_path / "docker.sock"
    step = Step(
        tmp_path / "job",
        {
            "name": "prod",
            "bucket": bucket.uri,
            "endpoint": bucket.endpoint,
            "max-hold": "10m",
            "keep-alive": "auto",
        },
        environ={"DOCKER_HOST": f"unix://{path}"},
    )

    with engine(path, 403, b'{"message": "forbidden"}'):
        main = step.main()

    assert main.exit_code == 0, main
    (warning,) = [command.data for command in main.commands if command.name == "warning"]
    assert "the Docker engine refused" in warning
    assert "403" in warning
    assert "mode: hold" in warning
    assert step.outputs["acquired"] == "true"
    # Nobody renews it, so it lasts half as long again as it may be held.
    assert bucket.record("prod")["holders"][0]["ttl"] == 900
    assert step.post().exit_code == 0


def test_a_process_in_no_container_of_the_engine_is_told_so(
    bucket: TestBucket, tmp_path: Path
) -> None:
    path = tmp_path / "docker.sock"
    step = Step(
        tmp_path / "job",
        {
            "name": "prod",
            "bucket": bucket.uri,
            "endpoint": bucket.endpoint,
            "keep-alive": "sidecar",
        },
        environ={"DOCKER_HOST": f"unix://{path}"},
    )

    # An engine without containers.
    with engine(path, 200, b"[]"):
        main = step.main()

    assert main.exit_code == 2, main
    assert "keep-alive: sidecar is not possible here" in main.said("error")
    assert bucket.body("prod") is None


def test_the_program_of_a_keepers_container_is_a_command() -> None:
    names = [command.name for command in app.registered_commands]

    assert PROGRAM[-1] in names
