"""Google's client on an observed session, before and without any request."""

import pytest
from google.auth.credentials import AnonymousCredentials
from google.auth.transport.requests import AuthorizedSession
from google.oauth2.credentials import Credentials

from gcs_ci_lock.storage.connection import GOOGLE, ObservedAdapter, parse_date, storage_client
from gcs_ci_lock.storage.endpoint import Endpoint
from gcs_ci_lock.system.clock import ObservedServerClock
from gcs_ci_lock.system.http_auth import no_auth
from tests.support.fakes import FakeClock

pytestmark = pytest.mark.example

LOCAL = Endpoint(url="http://127.0.0.1:4443", anonymous=True, loopback=True)
MOMENT = 1_795_442_531.0


def adapter() -> ObservedAdapter:
    return ObservedAdapter(clock=FakeClock(), server_clock=ObservedServerClock())


@pytest.mark.parametrize(
    "header",
    [
        "Mon, 23 Nov 2026 14:02:11 GMT",
        "Monday, 23-Nov-26 14:02:11 GMT",
        "Mon Nov 23 14:02:11 2026",
        "Mon, 23 Nov 2026 15:02:11 +0100",
    ],
)
def test_a_date_in_each_form_of_http_is_read(header: str) -> None:
    assert parse_date(header) == MOMENT


@pytest.mark.parametrize("header", ["", "tomorrow", "Mon, 99 Nov 2026 14:02:11 GMT", "0", "\x00"])
def test_anything_else_is_no_date(header: str) -> None:
    assert parse_date(header) is None


def test_a_local_server_is_used_without_credentials_and_without_a_proxy() -> None:
    sending = adapter()

    client = storage_client(LOCAL, None, sending)

    session = client._http  # noqa: SLF001 - what is tested
    assert client.api_endpoint == LOCAL.url
    assert isinstance(client._credentials, AnonymousCredentials)  # noqa: SLF001
    assert not isinstance(session, AuthorizedSession)
    assert (session.trust_env, session.max_redirects, session.auth) == (False, 0, no_auth)
    assert session.get_adapter("https://x/") is session.get_adapter("http://x/") is sending


def test_google_is_used_with_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_ENDPOINT_OVERRIDE", "http://elsewhere.test")
    credentials = Credentials(token="t")

    client = storage_client(
        Endpoint(url="", anonymous=False, loopback=False), credentials, adapter()
    )

    session = client._http  # noqa: SLF001
    assert client.api_endpoint == GOOGLE
    assert isinstance(session, AuthorizedSession)
    assert (session.trust_env, session.max_redirects, session.auth) == (True, 0, no_auth)
