"""The connection to a storage server: its dates, its credentials, and what cannot divert it."""

import contextlib
import json
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from google.auth.credentials import Credentials

from gcs_ci_lock.errors import Denied, StoreError
from gcs_ci_lock.ports import NotModified, ObjectStore
from gcs_ci_lock.storage.endpoint import Endpoint
from gcs_ci_lock.storage.gcs import GcsStore
from gcs_ci_lock.wiring import Connection, connect
from tests.support.scripted_server import Answer, ScriptedServer, http_date

pytestmark = pytest.mark.fault

TIMEOUT = 2.0


MIB = 1024 * 1024


MOMENT = 1_795_442_531.0


OBJECT = Answer(
    body=b'{"schema": 1}',
    headers={"x-goog-generation": "7", "x-goog-metageneration": "1"},
    date=http_date(MOMENT),
)


def refusal(status: int, message: str, reason: str = "x") -> Answer:
    error = {"code": status, "message": message, "errors": [{"reason": reason}]}
    body = json.dumps({"error": error}).encode()
    return Answer(status=status, body=body, headers={"Content-Type": "application/json"})


def connection_to(server: ScriptedServer) -> Connection:
    return connect("acme-locks", endpoint=server.endpoint, environ={})


def store_on(server: ScriptedServer) -> ObjectStore:
    return connection_to(server).store


def read(store: ObjectStore) -> object:
    return store.read("locks/prod/lock.json", known=7, limit=4 * MIB, timeout=TIMEOUT)


@pytest.mark.parametrize(
    "name",
    ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "STORAGE_EMULATOR_HOST", "API_ENDPOINT_OVERRIDE"],
)
def test_nothing_in_the_environment_diverts_from_the_endpoint(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ScriptedServer(OBJECT) as server, ScriptedServer(OBJECT) as elsewhere:
        monkeypatch.setenv(name, elsewhere.endpoint)

        read(store_on(server))

        assert (len(server.asked), len(elsewhere.asked)) == (1, 0)


def test_a_server_that_sends_no_date_is_none() -> None:
    with ScriptedServer(replace(OBJECT, date="")) as server:
        connection = connection_to(server)
        read(connection.store)

    with pytest.raises(StoreError, match="no Date header"):
        connection.server_clock.at(0.0)


@pytest.mark.parametrize("answer", [OBJECT, refusal(412, "x"), refusal(503, "x")])
def test_the_date_of_any_answer_counts_refusals_included(answer: Answer) -> None:
    dated = replace(answer, date=http_date(MOMENT))
    with ScriptedServer(dated) as server:
        connection = connection_to(server)
        with contextlib.suppress(StoreError):
            read(connection.store)

    now = connection.server_clock.at(connection.clock.boottime())
    assert MOMENT - 1 < now.earliest < now.latest < MOMENT + 10


def test_a_date_that_is_none_is_passed_over() -> None:
    with ScriptedServer(replace(OBJECT, date="tomorrow")) as server:
        connection = connection_to(server)
        assert read(connection.store) == NotModified()

    with pytest.raises(StoreError, match="no Date header"):
        connection.server_clock.at(0.0)


def test_a_date_without_a_zone_is_in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    with ScriptedServer(replace(OBJECT, date="Mon Nov 23 14:02:11 2026")) as server:
        connection = connection_to(server)
        read(connection.store)

    now = connection.server_clock.at(connection.clock.boottime())
    assert abs(now.earliest - MOMENT) < 10


class FakeCredentials(Credentials):
    """Credentials that are good until a server refuses them."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.token = "first"
        self.refreshed = 0

    def refresh(self, _request: object) -> None:
        self.refreshed += 1
        self.token = "second"


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> FakeCredentials:
    """Let plain http on this machine have credentials: https would need a certificate."""
    found = FakeCredentials()
    monkeypatch.setattr("gcs_ci_lock.storage.credentials.load_named", lambda _: found)
    chosen = Endpoint.choose

    def with_credentials(given: str | None, environ: Mapping[str, str]) -> Endpoint:
        # As a server elsewhere: its settings come from the environment.
        return replace(chosen(given, environ), anonymous=False, loopback=False)

    monkeypatch.setattr(Endpoint, "choose", with_credentials)
    return found


def test_a_password_of_netrc_does_not_replace_the_token(
    credentials: FakeCredentials, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login u password p")
    monkeypatch.setenv("NETRC", str(netrc))
    with ScriptedServer(OBJECT) as server:
        read(store_on(server))

        (asked,) = server.asked
    assert asked.headers["authorization"] == "Bearer first"
    assert credentials.refreshed == 0


def test_a_token_that_is_refused_is_renewed_once(credentials: FakeCredentials) -> None:
    with ScriptedServer(refusal(401, "expired"), OBJECT) as server:
        assert read(store_on(server)) == NotModified()

        tokens = [asked.headers["authorization"] for asked in server.asked]
    assert tokens == ["Bearer first", "Bearer second"]
    assert credentials.refreshed == 1


def test_credentials_that_stay_refused_are_a_denial(credentials: FakeCredentials) -> None:
    with ScriptedServer(refusal(401, "revoked")) as server:
        with pytest.raises(Denied):
            read(store_on(server))

        assert len(server.asked) == 2
    assert credentials.refreshed == 1


def test_an_address_in_the_environment_gets_no_token(
    credentials: FakeCredentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ScriptedServer(OBJECT) as trap:
        monkeypatch.setenv("API_ENDPOINT_OVERRIDE", trap.endpoint)
        store = connect("acme-locks", endpoint=None, environ={}).store

        assert isinstance(store, GcsStore)
        assert store._client.api_endpoint == "https://storage.googleapis.com"  # noqa: SLF001
        assert trap.asked == []
    assert credentials.refreshed == 0
