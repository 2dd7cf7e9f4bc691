"""Which credentials are used, and what is refused."""

import ast
import json
from dataclasses import replace
from pathlib import Path

import pytest

from gcs_ci_lock import wiring
from gcs_ci_lock.errors import StoreError, UsageError
from gcs_ci_lock.keepalive.sidecar.errors import SidecarUnavailable
from gcs_ci_lock.protocol.timing import Timing
from gcs_ci_lock.storage.gcs import GcsStore
from gcs_ci_lock.storage.pinned import AMBIENT
from gcs_ci_lock.system.clock import SystemClock
from gcs_ci_lock.wiring import connect, connect_engine, open_lease, resolve_credentials
from tests.support.fakes import PATHS
from tests.support.samples import LEASE_REF

PROVIDER = "projects/1/locations/global/workloadIdentityPools/github/providers/acme"


CANARY = "canary-91c2"


OF_GITHUB = {
    "ACTIONS_ID_TOKEN_REQUEST_URL": "https://vstoken.test/x?api-version=2.0&audience=old",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN": CANARY,
}


@pytest.mark.example
def test_without_anything_the_machine_is_asked() -> None:
    nobody = {"HOME": "/nonexistent"}

    assert resolve_credentials(nobody) == AMBIENT
    assert resolve_credentials(nobody, provider="") == AMBIENT


@pytest.mark.example
@pytest.mark.parametrize(
    ("provider", "account", "credentials_json", "environ", "words"),
    [
        (PROVIDER, "", "{}", OF_GITHUB, "both given"),
        (PROVIDER, "", "", {}, "id-token: write"),
        ("", "a@b.c", "", {}, 'provider "" is not valid'),
        ("acme", "", "", OF_GITHUB, 'provider "acme" is not valid'),
        (f"{PROVIDER}/x", "", "", OF_GITHUB, "is not valid"),
        (PROVIDER, "bob", "", OF_GITHUB, '"bob" is not'),
    ],
)
def test_what_cannot_be_used_is_named(
    provider: str, account: str, credentials_json: str, environ: dict[str, str], words: str
) -> None:
    with pytest.raises(UsageError) as refused:
        resolve_credentials(
            environ,
            credentials_json=credentials_json,
            provider=provider,
            service_account=account,
        )

    assert words in str(refused.value)


@pytest.mark.example
def test_a_server_without_credentials_needs_none_of_those_given() -> None:
    found = resolve_credentials({}, endpoint="http://127.0.0.1:1", provider=PROVIDER)

    assert found == AMBIENT


@pytest.mark.example
def test_credentials_that_are_given_go_before_the_environments() -> None:
    given = {"type": "service_account", "private_key": CANARY}
    environ = {"GOOGLE_APPLICATION_CREDENTIALS": "/nonexistent"}

    assert resolve_credentials(environ, credentials_json=json.dumps(given)).info == given


@pytest.mark.example
def test_a_connection_is_made_without_a_request_and_its_lock_uses_its_clocks() -> None:
    connection = connect("acme-locks", endpoint="http://127.0.0.1:1", environ={})

    lock = connection.lock(PATHS, Timing.for_ttl(120.0))

    assert isinstance(connection.store, GcsStore)
    assert lock.clock is connection.clock
    with pytest.raises(StoreError, match="no Date header"):
        connection.server_clock.at(0.0)


@pytest.mark.example
def test_the_lock_of_a_lease_is_the_one_that_was_acquired() -> None:
    lease_ref = replace(LEASE_REF, endpoint="http://127.0.0.1:1")

    connection, lock = open_lease(lease_ref, environ={})

    assert isinstance(connection.store, GcsStore)
    assert lock.timing == lease_ref.timing


@pytest.mark.example
def test_an_emulator_in_the_environment_alone_is_refused() -> None:
    with pytest.raises(UsageError, match="STORAGE_EMULATOR_HOST"):
        connect("acme-locks", endpoint=None, environ={"STORAGE_EMULATOR_HOST": "http://x:1"})


@pytest.mark.example
def test_google_is_imported_only_when_a_connection_is_made() -> None:
    module = ast.parse(Path(wiring.__file__).read_text())

    at_import = {
        node.module for node in module.body if isinstance(node, ast.ImportFrom) and node.module
    }

    assert "gcs_ci_lock.storage.pinned" in at_import
    assert (
        not {f"gcs_ci_lock.storage.{name}" for name in ("connection", "credentials", "gcs")}
        & at_import
    )


@pytest.mark.example
def test_an_engine_that_is_not_there_is_no_sidecar(tmp_path: Path) -> None:
    environ = {"DOCKER_HOST": f"unix://{tmp_path}/docker.sock"}

    with pytest.raises(SidecarUnavailable, match="there is no Docker socket"):
        connect_engine(environ, SystemClock())
