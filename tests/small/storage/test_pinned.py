"""Which credentials are taken, and what of them is secret."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gcs_ci_lock.errors import UsageError
from gcs_ci_lock.storage.credentials import resolve_credentials
from gcs_ci_lock.storage.federation import Federation
from gcs_ci_lock.storage.pinned import AMBIENT, TOKEN_KEY, PinnedCredentials

CANARY = "canary-91c2"
PROVIDER = "projects/1/locations/global/workloadIdentityPools/github/providers/acme"
OF_GITHUB = {
    "ACTIONS_ID_TOKEN_REQUEST_URL": "https://vstoken.test/x?api-version=2.0&audience=old",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN": CANARY,
}


@pytest.mark.example
def test_a_workload_identity_is_asked_for_as_googles_own_action_does() -> None:
    federation = Federation(provider=PROVIDER, service_account="ci@acme.iam.gserviceaccount.com")

    pinned = resolve_credentials(OF_GITHUB, federation=federation)

    audience = "https%3A%2F%2Fiam.googleapis.com%2F" + PROVIDER.replace("/", "%2F")
    assert pinned.info == {
        "type": "external_account",
        "audience": f"//iam.googleapis.com/{PROVIDER}",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": "https://sts.googleapis.com/v1/token",
        "credential_source": {
            "url": f"https://vstoken.test/x?api-version=2.0&audience={audience}",
            "headers": {"Authorization": f"Bearer {CANARY}"},
            "format": {"type": "json", "subject_token_field_name": "value"},
        },
        "service_account_impersonation_url": (
            "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/"
            "ci@acme.iam.gserviceaccount.com:generateAccessToken"
        ),
    }


@pytest.mark.example
def test_a_token_of_the_jobs_own_goes_before_githubs() -> None:
    pinned = resolve_credentials(
        OF_GITHUB, federation=Federation(provider=PROVIDER, id_token="mine")
    )

    assert pinned.info is not None
    assert pinned.info["credential_source"] == {TOKEN_KEY: "mine"}
    assert "service_account_impersonation_url" not in pinned.info


@pytest.mark.example
def test_without_anything_the_machine_is_asked() -> None:
    nobody = {"HOME": "/nonexistent"}

    assert resolve_credentials(nobody) == AMBIENT
    assert resolve_credentials(nobody, federation=Federation(provider="")) == AMBIENT


@pytest.mark.example
@pytest.mark.parametrize(
    ("federation", "credentials_json", "environ", "words"),
    [
        (Federation(provider=PROVIDER), "{}", OF_GITHUB, "both given"),
        (Federation(provider=PROVIDER), "", {}, "id-token: write"),
        (Federation(provider="", service_account="a@b.c"), "", {}, 'provider "" is not valid'),
        (Federation(provider="acme"), "", OF_GITHUB, 'provider "acme" is not valid'),
        (Federation(provider=f"{PROVIDER}/x"), "", OF_GITHUB, "is not valid"),
        (Federation(provider=PROVIDER, service_account="bob"), "", OF_GITHUB, '"bob" is not'),
    ],
)
def test_what_cannot_be_used_is_named(
    federation: Federation, credentials_json: str, environ: dict[str, str], words: str
) -> None:
    with pytest.raises(UsageError) as refused:
        resolve_credentials(environ, credentials_json=credentials_json, federation=federation)

    assert words in str(refused.value)


@pytest.mark.example
def test_every_secret_is_told_to_be_masked_and_nothing_else() -> None:
    pinned = PinnedCredentials(
        info={
            "type": "external_account",
            "client_id": "public",
            "client_secret": "s1",
            "private_key": "s2",
            "refresh_token": "s3",
            "credential_source": {
                "url": "https://x",
                "headers": {
                    "Authorization": "Bearer s4",
                    "Metadata": "True",
                    "X-Api-Key": "long enough",
                },
                TOKEN_KEY: "s5",
            },
        }
    )

    assert set(pinned.secrets()) == {*("s1", "s2", "s3", "Bearer s4", "s4", "s5", "long enough")}
    assert AMBIENT.secrets() == ()


@pytest.mark.example
def test_what_is_printed_of_it_shows_nothing() -> None:
    assert CANARY not in repr(PinnedCredentials(info={"private_key": CANARY}))


@pytest.mark.property
@given(
    st.dictionaries(
        st.text(max_size=10),
        st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=4),
        max_size=4,
    )
)
def test_any_configuration_is_read_as_it_was_written(info: dict[str, object]) -> None:
    pinned = PinnedCredentials(info=info)

    assert PinnedCredentials.from_json(pinned.to_json(), source="x") == pinned
    assert PinnedCredentials.from_json(AMBIENT.to_json(), source="x") == AMBIENT


@pytest.mark.property
@given(st.text(max_size=60) | st.integers().map(str) | st.lists(st.text()).map(json.dumps))
def test_any_other_text_is_refused_and_not_repeated(text: str) -> None:
    given = f"{CANARY}{text}"

    with pytest.raises(UsageError) as refused:
        resolve_credentials({}, credentials_json=given)

    assert CANARY not in str(refused.value)
