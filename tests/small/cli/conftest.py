"""What the tests of the command line share: a shell in this process."""

from pathlib import Path

import pytest

from tests.support.memory_shell import MemoryShell


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> MemoryShell:
    return MemoryShell(monkeypatch, tmp_path)
