"""What medium tests share: one storage server a module, and a prefix of its bucket each."""

import itertools
from collections.abc import Iterator

import pytest

from gcs_ci_lock.dry_run.emulator import EmbeddedServer
from gcs_ci_lock.system.clock import SystemClock
from tests.support.bucket import TestBucket

_PREFIXES = itertools.count()


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedServer]:
    with EmbeddedServer(SystemClock()) as server:
        server.create_bucket("acme-locks")
        yield server


@pytest.fixture
def bucket(server: EmbeddedServer) -> TestBucket:
    return TestBucket(server.endpoint, "acme-locks", f"locks-{next(_PREFIXES)}")
