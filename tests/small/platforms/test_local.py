"""A person's machine."""

import getpass
import socket

import pytest

from gcs_ci_lock.platforms import local

pytestmark = pytest.mark.example


def test_the_owner_is_the_user_and_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: "alice")
    monkeypatch.setattr(socket, "gethostname", lambda: "laptop")

    found = local.owner({"GITHUB_ACTOR": "bob"})

    assert (found.platform, found.actor, found.runner) == ("local", "alice", "laptop")
    assert found.url == ""


@pytest.mark.parametrize("error", [KeyError, OSError])
def test_a_user_id_without_an_account_has_no_name(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def refuse() -> str:
        raise error

    monkeypatch.setattr(getpass, "getuser", refuse)

    assert local.owner({}).actor == ""
