"""Requests are authenticated by their headers alone."""

from pathlib import Path

import pytest
import requests

from gcs_ci_lock.system.http_auth import no_auth

pytestmark = pytest.mark.example


def test_a_password_of_netrc_does_not_replace_the_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login u password p")
    monkeypatch.setenv("NETRC", str(netrc))
    request = requests.Request(
        "GET", "https://api.test/x", headers={"Authorization": "Bearer token"}
    )
    session = requests.Session()
    assert session.prepare_request(request).headers["Authorization"].startswith("Basic ")

    session.auth = no_auth

    assert session.prepare_request(request).headers["Authorization"] == "Bearer token"
