"""What the libraries and the server refuse, as errors of ours."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import requests
from google.api_core import exceptions as refusals
from google.auth import exceptions as auth_errors
from google.cloud.storage.exceptions import DataCorruption, InvalidResponse

from gcs_ci_lock.errors import BucketMissing, Denied, OutcomeUnknown, PreconditionFailed, StoreError
from gcs_ci_lock.protocol.text import printable

# What real Cloud Storage and its test servers say when it is the bucket that is missing.
_NO_BUCKET = re.compile(
    r"(specified bucket|\bbucket \S+) does not exist|bucket not found", re.IGNORECASE
)
_TRY_AGAIN = frozenset({408, 409, 429})
_TOO_MANY = frozenset({429, 503})
_SERVER_ERROR = 500


class NotModifiedResponse(StoreError):
    """304."""


class ObjectNotFound(Exception):
    """404 for an object."""


class ResponseErrors:
    """The refusals of one bucket."""

    def __init__(self, bucket: str) -> None:
        """Take the bucket's bare name."""
        self._name = bucket

    def no_bucket(self) -> BucketMissing:
        """Return that there is no such bucket."""
        return BucketMissing(
            f'bucket "{self._name}" does not exist: expected the name of an existing bucket. '
            f"Make one with: gcloud storage buckets create gs://{self._name}"
        )

    @contextmanager
    def translated(self, doing: str) -> Iterator[None]:
        """Turn every error of the libraries into one of ours."""
        try:
            yield
        except refusals.GoogleAPICallError as refusal:
            # Not `errors`, nor `str`, which shows them: they fail where they are not as expected.
            details = str(getattr(refusal.response, "text", ""))
            status = int(refusal.code or 0)
            raise self._refused(doing, status, f"{status} {refusal.message}", details) from None
        except InvalidResponse as refusal:
            response = cast("requests.Response", refusal.response)
            status, details = int(response.status_code), response.text
            raise self._refused(doing, status, f"{refusal} {details}", details) from None
        except auth_errors.GoogleAuthError as error:
            raise _auth_error(doing, error) from None
        except requests.TooManyRedirects as error:
            message = f"{doing}: the storage server redirects elsewhere ({printable(str(error))})"
            raise StoreError(message) from None
        except (requests.RequestException, DataCorruption, OSError) as error:
            message = f"{doing}: no answer from the storage server ({_cause(error)})"
            raise OutcomeUnknown(message) from None
        except (
            ArithmeticError,
            AttributeError,
            KeyError,
            RecursionError,
            TypeError,
            ValueError,
        ) as error:
            message = f"{doing}: the answer cannot be understood ({_cause(error)})"
            raise OutcomeUnknown(message) from None

    def _refused(  # noqa: PLR0911 - a table
        self, doing: str, status: int, text: str, details: str
    ) -> Exception:
        said = printable(text, limit=160)
        message = f"{doing} in bucket {self._name}: the storage server answered {status} ({said})"
        match status:
            case 304:
                return NotModifiedResponse(message)
            case 404:
                return self.no_bucket() if _NO_BUCKET.search(text) else ObjectNotFound()
            case 412:
                return PreconditionFailed(message)
            case 403 if "ateLimitExceeded" in details:
                return OutcomeUnknown(message, busy=True)
            case 401 | 403:
                return Denied(
                    f"{message}. Expected permission for storage.objects.create, delete, get and "
                    f"list in gs://{self._name} (role roles/storage.objectUser), and credentials "
                    "that are still valid"
                )
            case _ if status in _TRY_AGAIN or status >= _SERVER_ERROR:
                return OutcomeUnknown(message, busy=status in _TOO_MANY)
            case _:
                return StoreError(message)


def _cause(error: Exception) -> str:
    """Return the innermost reason, without the addresses of Python objects in it."""
    root: object = error
    while inner := getattr(root, "reason", None) or _first_exception(root):
        root = inner
    text = re.sub(r"(<[^>]* at 0x[0-9a-f]+>|\w+\(host=[^)]*\)):? ?", "", str(root))
    return f"{type(root).__name__}: {printable(text, limit=160)}"


def _first_exception(error: object) -> Exception | None:
    arguments = getattr(error, "args", ())
    return next((one for one in arguments if isinstance(one, Exception)), None)


def _auth_error(doing: str, error: auth_errors.GoogleAuthError) -> StoreError:
    if isinstance(error, auth_errors.TransportError) or error.retryable:
        return OutcomeUnknown(f"{doing}: no answer from the token server ({_cause(error)})")
    return Denied(
        f"{doing}: the credentials were refused ({_cause(error)}). Expected valid ones: "
        "google-github-actions/auth in a workflow, `gcloud auth application-default login` here"
    )
