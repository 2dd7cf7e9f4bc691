"""What large tests share: the image, and a storage server of their own each."""

import fcntl
import os
from collections.abc import Iterator

import pytest

from gcs_ci_lock.dry_run.emulator import EmbeddedServer
from gcs_ci_lock.system.clock import SystemClock
from tests.support.bucket import TestBucket
from tests.support.docker import build_image


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Build the image, once: act finds its layers and is quick. One worker builds for all."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        # Each worker has a folder of its own in that of the run.
        folder = folder.parent
    with (folder / "image").open("a+") as built:
        fcntl.flock(built, fcntl.LOCK_EX)
        built.seek(0)
        if not built.read():
            build_image()
            built.write("built")


@pytest.fixture
def server() -> Iterator[EmbeddedServer]:
    with EmbeddedServer(SystemClock()) as server:
        server.create_bucket("acme-locks")
        yield server


@pytest.fixture
def bucket(server: EmbeddedServer) -> TestBucket:
    return TestBucket(server.endpoint, "acme-locks")
