"""Every error has its exit code."""

import pytest

from gcs_ci_lock import errors
from gcs_ci_lock.errors import LockError, OutcomeUnknown, RecordInvalid, StoreError

pytestmark = pytest.mark.example

CODES = {
    "BucketMissing": 2,
    "Denied": 77,
    "LeaseLost": 76,
    "LockError": 1,
    "NotAcquired": 75,
    "OutcomeUnknown": 69,
    "PreconditionFailed": 1,
    "RecordInvalid": 2,
    "StorageUnreachable": 69,
    "StoreError": 1,
    "UsageError": 2,
}


def test_each_error_has_its_exit_code() -> None:
    found = {
        name: error.exit_code
        for name, error in vars(errors).items()
        if isinstance(error, type) and issubclass(error, LockError)
    }

    assert found == CODES


def test_what_the_storage_server_does_wrong_is_one_kind_of_error() -> None:
    assert issubclass(OutcomeUnknown, StoreError)
    assert issubclass(errors.Denied, StoreError)
    assert not issubclass(errors.LeaseLost, StoreError)


def test_a_record_that_is_not_valid_says_where_it_is_and_how_to_look_at_it() -> None:
    uri = "gs://acme-locks/locks/prod/lock.json"

    error = RecordInvalid(uri, "fence should be an integer")

    assert error.uri == uri
    assert error.problem == "fence should be an integer"
    assert str(error).startswith(
        "the lock record gs://acme-locks/locks/prod/lock.json is not valid"
    )
    assert "gcloud storage cat gs://acme-locks/locks/prod/lock.json" in str(error)


def test_an_unknown_outcome_says_whether_the_server_asked_to_slow_down() -> None:
    assert OutcomeUnknown("503", busy=True).busy
    assert not OutcomeUnknown("reset").busy
