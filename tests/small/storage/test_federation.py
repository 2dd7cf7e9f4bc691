"""Workload identity federation, as google-github-actions/auth configures it."""

import pytest

from gcs_ci_lock.storage.pinned import TOKEN_KEY
from gcs_ci_lock.wiring import resolve_credentials

CANARY = "canary-91c2"


PROVIDER = "projects/1/locations/global/workloadIdentityPools/github/providers/acme"


OF_GITHUB = {
    "ACTIONS_ID_TOKEN_REQUEST_URL": "https://vstoken.test/x?api-version=2.0&audience=old",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN": CANARY,
}


@pytest.mark.example
def test_a_workload_identity_is_asked_for_as_googles_own_action_does() -> None:
    pinned = resolve_credentials(
        OF_GITHUB, provider=PROVIDER, service_account="ci@acme.iam.gserviceaccount.com"
    )

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
    pinned = resolve_credentials(OF_GITHUB, provider=PROVIDER, id_token="mine")

    assert pinned.info is not None
    assert pinned.info["credential_source"] == {TOKEN_KEY: "mine"}
    assert "service_account_impersonation_url" not in pinned.info
