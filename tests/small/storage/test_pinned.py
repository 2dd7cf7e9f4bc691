"""Pinned credentials: what of them is secret, and that they are read as they were written."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gcs_ci_lock.errors import UsageError
from gcs_ci_lock.storage.pinned import AMBIENT, TOKEN_KEY, PinnedCredentials
from gcs_ci_lock.wiring import resolve_credentials

CANARY = "canary-91c2"


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
