"""What the libraries raise, as errors of ours; over a real connection in tests/medium."""

import json
from typing import cast

import pytest
import requests
from google.api_core.exceptions import GoogleAPICallError, from_http_response
from google.auth.exceptions import RefreshError, TransportError

from gcs_ci_lock.errors import BucketMissing, Denied, OutcomeUnknown, PreconditionFailed, StoreError
from gcs_ci_lock.storage.responses import NotModifiedResponse, ObjectNotFound, ResponseErrors

pytestmark = pytest.mark.fault


def answer(status: int, message: str, reason: str = "x") -> GoogleAPICallError:
    response = requests.Response()
    response.status_code = status
    response.headers["Content-Type"] = "application/json"
    error = {"code": status, "message": message, "errors": [{"reason": reason}]}
    response._content = json.dumps({"error": error}).encode()  # noqa: SLF001 - as a server sent it
    response.request = requests.Request("GET", "https://storage.test/x").prepare()
    return cast("GoogleAPICallError", from_http_response(response))  # type: ignore[no-untyped-call]


def translated(error: Exception) -> Exception:
    try:
        with ResponseErrors("acme-locks").translate("reading x"):
            raise error
    except (ObjectNotFound, StoreError) as found:
        return found


@pytest.mark.parametrize(
    ("status", "message", "expected"),
    [
        (304, "", NotModifiedResponse),
        (400, "bad", StoreError),
        (401, "who", Denied),
        (403, "no", Denied),
        (404, "The specified bucket does not exist.", BucketMissing),
        (404, "No such object: acme-locks/x", ObjectNotFound),
        (408, "slow", OutcomeUnknown),
        (409, "conflict", OutcomeUnknown),
        (412, "conditionNotMet", PreconditionFailed),
        (429, "rate", OutcomeUnknown),
        (500, "backend", OutcomeUnknown),
        (503, "busy", OutcomeUnknown),
    ],
)
def test_a_status_is_one_error(status: int, message: str, expected: type[Exception]) -> None:
    assert type(translated(answer(status, message))) is expected


@pytest.mark.parametrize(
    ("error", "busy"),
    [
        (answer(429, "x"), True),
        (answer(503, "x"), True),
        (answer(403, "x", "rateLimitExceeded"), True),
        (answer(500, "x"), False),
        (requests.ConnectionError("reset"), False),
        (OSError("gone"), False),
        (KeyError("generation"), False),
        (TransportError("no route"), False),
    ],
    ids=str,
)
def test_an_answer_that_may_hide_a_success_leaves_the_outcome_unknown(
    error: Exception, *, busy: bool
) -> None:
    found = translated(error)

    assert isinstance(found, OutcomeUnknown)
    assert found.busy is busy


def test_a_denial_says_which_role_to_grant_on_which_bucket() -> None:
    text = str(translated(answer(403, "alice lacks storage.objects.get")))

    assert text.startswith("reading x in bucket acme-locks: the storage server answered 403 (")
    assert "Grant roles/storage.objectUser on gs://acme-locks" in text


def test_credentials_that_are_refused_are_a_denial() -> None:
    found = translated(RefreshError("invalid_grant"))

    assert isinstance(found, Denied)
    assert "the credentials were refused" in str(found)


def test_a_bucket_that_does_not_exist_comes_with_the_command_that_creates_it() -> None:
    assert str(ResponseErrors("acme-locks").no_bucket()) == (
        'bucket "acme-locks" does not exist. '
        "Create it with: gcloud storage buckets create gs://acme-locks"
    )


def test_a_redirect_names_the_address() -> None:
    found = translated(requests.TooManyRedirects("Exceeded 0 redirects."))

    assert type(found) is StoreError
    assert "redirects to another address (Exceeded 0 redirects.)" in str(found)


def test_an_error_of_ours_passes_as_it_is() -> None:
    mine = StoreError("mine")

    assert translated(mine) is mine
