"""A lock that could not be released is no success: `run` and `hold` say so and exit with 69."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gcs_ci_lock.dry_run.emulator import EmbeddedServer
from gcs_ci_lock.system.clock import SystemClock
from tests.support.bucket import TestBucket
from tests.support.fault_proxy import DRIPPED, FaultProxy
from tests.support.shell import Running, Site, until

pytestmark = pytest.mark.fault

# Waits until it is told to end, and succeeds.
PATIENT = "touch ready; until test -e end; do sleep 0.05; done"
# The program as it is, but for the time that a release is repeated: 2 s instead of 20.
HASTY = """
from gcs_ci_lock.cli.app import main
from gcs_ci_lock.locking.retry import retry
retry.__kwdefaults__["within"] = 2.0
main()
"""


@pytest.fixture
def own_server() -> Iterator[EmbeddedServer]:
    """Return a server that a test may stop."""
    with EmbeddedServer(SystemClock()) as server:
        server.create_bucket("acme-locks")
        yield server


@pytest.fixture
def site(own_server: EmbeddedServer, tmp_path: Path) -> Iterator[Site]:
    with Site(TestBucket(own_server.endpoint, "acme-locks"), tmp_path) as site:
        yield site


@pytest.fixture
def proxy(bucket: TestBucket) -> Iterator[FaultProxy]:
    with FaultProxy(bucket.endpoint) as proxy:
        yield proxy


@pytest.fixture
def behind(proxy: FaultProxy, bucket: TestBucket, tmp_path: Path) -> Iterator[Site]:
    """Return a site whose first renewal is answered byte for byte."""
    proxy.plan(DRIPPED, "POST", "lock.json", number=2)
    with Site(TestBucket(proxy.endpoint, bucket.bucket, bucket.prefix), tmp_path) as site:
        yield site


def hasty(site: Site, *words: str) -> Running:
    """Type a command for a hasty program, in the background."""
    stdout, stderr = site.folder / "out", site.folder / "err"
    with stdout.open("wb") as out, stderr.open("wb") as err:
        process = site.spawn(
            *("-c", HASTY, *words),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            program=sys.executable,
        )
    return Running(process, stdout, stderr)


@pytest.mark.parametrize(("code", "expected"), [(0, 69), (3, 3)])
def test_a_command_ends_while_the_server_is_gone(
    site: Site, own_server: EmbeddedServer, code: int, expected: int
) -> None:
    command = ("sh", "-c", f"{PATIENT}; exit {code}")
    running = hasty(site, "run", "prod", *site.at, "--", *command)
    until((site.folder / "ready").exists)

    own_server.stop()
    (site.folder / "end").touch()
    ended = running.ended()

    assert ended.exit_code == expected, ended
    assert 'lock "prod" could not be released: ' in ended.err
    assert "Its lease ends by itself, at most 2m08s after its last renewal" in ended.err


def test_a_hold_is_told_to_end_while_the_server_is_gone(
    site: Site, own_server: EmbeddedServer
) -> None:
    running = hasty(site, "hold", "prod", *site.at)
    until(lambda: "Acquired" in running.err)

    own_server.stop()
    running.send(signal.SIGTERM)
    ended = running.ended()

    assert ended.exit_code == 69, ended
    assert 'lock "prod" could not be released: ' in ended.err


def hangs(proxy: FaultProxy) -> bool:
    return any(seen.fault is DRIPPED for seen in proxy.seen)


def test_a_command_ends_while_a_renewal_hangs(behind: Site, proxy: FaultProxy) -> None:
    running = behind.start("run", "prod", *behind.at, "--ttl", "30s", "--", "sh", "-c", PATIENT)
    until(lambda: hangs(proxy))

    (behind.folder / "end").touch()
    ended = running.ended()

    assert ended.exit_code == 69, ended
    assert (
        'lock "prod" could not be released: a renewal hangs. Its lease ends by itself' in ended.err
    )
    # The claim and the renewal: no release was sent while that was in flight.
    assert len(proxy.requests("POST", "lock.json")) == 2


def test_a_hold_is_told_to_end_while_a_renewal_hangs(behind: Site, proxy: FaultProxy) -> None:
    running = behind.hold("prod", "--ttl", "30s")
    until(lambda: hangs(proxy))

    running.send(signal.SIGINT)
    ended = running.ended()

    assert ended.exit_code == 69, ended
    assert 'lock "prod" could not be released: a renewal hangs' in ended.err
    assert len(proxy.requests("POST", "lock.json")) == 2
