"""Serialise deployments in CI with a lock kept in Google Cloud Storage.

with Lock("prod", bucket="gs://acme-locks").acquire(wait="30m") as lease:
    deploy(fencing_token=lease.token)
    lease.check()
"""

from typing import TYPE_CHECKING, Any

from gcs_ci_lock.errors import (
    Denied,
    LeaseLost,
    LockError,
    NotAcquired,
    RecordInvalid,
    StorageUnreachable,
    UsageError,
)

if TYPE_CHECKING:
    from gcs_ci_lock.api import Lease, Lock

__all__ = [
    "Denied",
    "Lease",
    "LeaseLost",
    "Lock",
    "LockError",
    "NotAcquired",
    "RecordInvalid",
    "StorageUnreachable",
    "UsageError",
]


if not TYPE_CHECKING:
    # Hidden from type checkers, which would otherwise accept every name.
    def __getattr__(name: str) -> Any:  # noqa: ANN401 - PEP 562
        # Imported here, so that the command line's --help stays quick.
        if name in ("Lease", "Lock"):
            from gcs_ci_lock import api  # noqa: PLC0415

            return getattr(api, name)
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
