"""What `import gcs_ci_lock` gives."""

import pytest

import gcs_ci_lock
from gcs_ci_lock.errors import LockError

pytestmark = pytest.mark.example


def test_each_public_name_is_there() -> None:
    for name in gcs_ci_lock.__all__:
        assert getattr(gcs_ci_lock, name).__name__ == name


def test_what_can_be_caught_is_a_lock_error() -> None:
    errors = set(gcs_ci_lock.__all__) - {"Lease", "Lock"}

    assert all(issubclass(getattr(gcs_ci_lock, name), LockError) for name in errors)


def test_another_name_is_no_attribute() -> None:
    name = "Locks"

    with pytest.raises(AttributeError, match="has no attribute 'Locks'"):
        getattr(gcs_ci_lock, name)
