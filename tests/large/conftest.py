"""What large tests share: the image, and a storage server of their own each."""

from collections.abc import Iterator

import pytest

from gcs_ci_lock.dry_run.emulator import EmbeddedServer
from gcs_ci_lock.system.clock import SystemClock
from tests.support.bucket import TestBucket
from tests.support.docker import build_image


@pytest.fixture(scope="session")
def image() -> None:
    """Build the image, once: act finds its layers and is quick."""
    build_image()


@pytest.fixture
def server() -> Iterator[EmbeddedServer]:
    with EmbeddedServer(SystemClock()) as server:
        server.create_bucket("acme-locks")
        yield server


@pytest.fixture
def bucket(server: EmbeddedServer) -> TestBucket:
    return TestBucket(server.endpoint, "acme-locks")
