"""What the tests of the action share: a job with steps in this process."""

from pathlib import Path

import pytest

from tests.support.memory_step import MemoryJob


@pytest.fixture
def job(tmp_path: Path) -> MemoryJob:
    return MemoryJob(tmp_path)
