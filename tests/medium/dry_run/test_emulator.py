"""The embedded storage server as a process."""

import os
import signal

import pytest
import requests

from gcs_ci_lock.dry_run.emulator import EmbeddedServer
from gcs_ci_lock.errors import LockError
from gcs_ci_lock.system.clock import SystemClock
from tests.support.shell import until

pytestmark = pytest.mark.example


def buckets(server: EmbeddedServer) -> list[str]:
    with requests.Session() as session:
        session.trust_env = False
        items = session.get(f"{server.endpoint}/storage/v1/b", timeout=5).json()["items"]
        return [item["name"] for item in items]


def test_a_server_answers_from_start_to_stop() -> None:
    server = EmbeddedServer(SystemClock())

    with server:
        server.create_bucket("acme-locks")
        pid = server.pid
        assert buckets(server) == ["acme-locks"]
        with pytest.raises(LockError, match="did not create bucket acme-locks"):
            server.create_bucket("acme-locks")

    assert server.pid == 0
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_two_servers_have_a_port_each_and_share_nothing() -> None:
    with EmbeddedServer(SystemClock()) as one, EmbeddedServer(SystemClock()) as other:
        one.create_bucket("bucket-a")
        other.create_bucket("bucket-b")

        assert (buckets(one), buckets(other)) == (["bucket-a"], ["bucket-b"])


@pytest.mark.fault
def test_a_server_that_was_killed_is_started_again_on_its_port() -> None:
    with EmbeddedServer(SystemClock()) as server:
        port, pid = server.port, server.pid
        os.kill(pid, signal.SIGKILL)
        until(lambda: not answers(server))
        server.stop()

        server.start(port)

        assert server.port == port
        assert answers(server)


def answers(server: EmbeddedServer) -> bool:
    try:
        with requests.Session() as session:
            session.trust_env = False
            return session.get(f"{server.endpoint}/storage/v1/b", timeout=5).ok
    except requests.RequestException:
        return False
