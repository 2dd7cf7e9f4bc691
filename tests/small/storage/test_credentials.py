"""Google credentials from JSON and from files; the exchange of tokens is in tests/medium."""

import json
from pathlib import Path

import pytest

from gcs_ci_lock.errors import Denied, UsageError
from gcs_ci_lock.storage.credentials import load, pin_json, pin_named
from gcs_ci_lock.storage.pinned import AMBIENT, TOKEN_KEY, PinnedCredentials

pytestmark = pytest.mark.example

CANARY = "canary-91c2"


def external(source: object) -> dict[str, object]:
    return {
        "type": "external_account",
        "audience": "acme",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": "https://sts.test/v1/token",
        "credential_source": source,
    }


def test_a_token_in_a_file_is_pinned_with_the_credentials(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text(f"{CANARY}\n")

    pinned = pin_json(json.dumps(external({"file": str(token)})))

    assert pinned.info == external({TOKEN_KEY: CANARY})
    assert CANARY in pinned.secrets()


def test_the_file_that_is_named_goes_before_gclouds_own(tmp_path: Path) -> None:
    named = tmp_path / "named.json"
    named.write_text('{"type": "named"}')
    (tmp_path / "application_default_credentials.json").write_text('{"type": "own"}')
    environ = {"CLOUDSDK_CONFIG": str(tmp_path)}

    assert pin_named(environ).info == {"type": "own"}
    assert pin_named({**environ, "GOOGLE_APPLICATION_CREDENTIALS": str(named)}).info == {
        "type": "named"
    }
    assert pin_named({"HOME": str(tmp_path / "nobody")}) == AMBIENT


@pytest.mark.parametrize("text", ["", "{", "[]", "7", f'"{CANARY}"', "null"])
def test_what_is_no_configuration_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        pin_json(text)

    assert CANARY not in str(refused.value)


def test_credentials_without_a_type_are_refused() -> None:
    with pytest.raises(UsageError, match='the credentials have no "type"'):
        pin_json('{"type": 7}')


def test_a_configuration_that_google_cannot_load_is_a_denial_without_its_text() -> None:
    with pytest.raises(Denied, match="there are no usable Google credentials") as refused:
        load(PinnedCredentials(info={"type": CANARY}))

    assert CANARY not in str(refused.value)
    assert "google-github-actions/auth" in str(refused.value)


def test_a_pinned_token_is_loaded_without_a_request() -> None:
    loaded = load(PinnedCredentials(info=external({TOKEN_KEY: CANARY})))

    assert not loaded.valid
