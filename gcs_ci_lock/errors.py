"""All errors, each with its exit code.

The exit codes follow sysexits.h where it has one: 69 EX_UNAVAILABLE, 75 EX_TEMPFAIL,
76 (lease lost), 77 EX_NOPERM; 2 is the usual code for wrong usage.
"""

from typing import ClassVar


class LockError(Exception):
    """The base class of all errors that this package raises."""

    exit_code: ClassVar[int] = 1


class UsageError(LockError):
    """An input or a setting is wrong; nothing was changed anywhere."""

    exit_code = 2


class RecordInvalid(UsageError):
    """The stored lock record is not valid; it was left as it is.

    Attributes:
        uri: the object, as gs://BUCKET/PATH or its path alone.
        problem: what was expected and what was found.
    """

    def __init__(self, uri: str, problem: str) -> None:
        super().__init__(
            f"the lock record {uri} is not valid: {problem}. It was left as it is. "
            f"Look at it with: gcloud storage cat {uri}"
        )
        self.uri = uri
        self.problem = problem


class StoreError(LockError):
    """A request to the storage server failed."""


class PreconditionFailed(StoreError):
    """The object's generation is not the expected one: it was changed or deleted."""


class OutcomeUnknown(StoreError):
    """There was no usable response: the request may or may not have been carried out.

    In model/lock.pml: no_answer.

    Attributes:
        busy: the server asked to slow down (429 or 503).
    """

    exit_code = 69

    def __init__(self, message: str, *, busy: bool = False) -> None:
        super().__init__(message)
        self.busy = busy


class StorageUnreachable(StoreError):
    """The storage server sent no usable response, in spite of retries."""

    exit_code = 69


class BucketMissing(StoreError):
    """The bucket does not exist."""

    exit_code = 2


class Denied(StoreError):
    """The credentials are missing, refused, or lack a permission."""

    exit_code = 77


class NotAcquired(LockError):
    """The lock was not granted in time."""

    exit_code = 75


class LeaseLost(LockError):
    """The lease is not ours any more, or we must not believe so any longer."""

    exit_code = 76
