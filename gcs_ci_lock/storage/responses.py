"""Error responses and library exceptions, translated into errors of `gcs_ci_lock.errors`."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import requests
from google.api_core import exceptions as api_errors
from google.auth import exceptions as auth_errors
from google.cloud.storage.exceptions import DataCorruption, InvalidResponse

from gcs_ci_lock.errors import BucketMissing, Denied, OutcomeUnknown, PreconditionFailed, StoreError
from gcs_ci_lock.protocol.text import printable

# A 404 of Cloud Storage, or of a test server, that means the bucket and not the object.
_NO_BUCKET = re.compile(
    r"(specified bucket|\bbucket \S+) does not exist|bucket not found", re.IGNORECASE
)
_TRY_AGAIN = frozenset({408, 409, 429})
_TOO_MANY = frozenset({429, 503})
_SERVER_ERROR = 500


class NotModifiedResponse(StoreError):
    """304: the generation is the one that the request named."""


class ObjectNotFound(Exception):
    """404: the object does not exist, though its bucket may."""


class ResponseErrors:
    """Translates the errors of requests to one bucket.

    Args:
        bucket: its bare name.
    """

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket

    def no_bucket(self) -> BucketMissing:
        """Return the error that the bucket does not exist."""
        return BucketMissing(
            f'bucket "{self._bucket}" does not exist. '
            f"Create it with: gcloud storage buckets create gs://{self._bucket}"
        )

    @contextmanager
    def translate(self, doing: str) -> Iterator[None]:
        """Translate every library exception that is raised inside.

        Args:
            doing: what is being done, for the message, e.g. "reading prod/lock.json".

        Raises:
            ObjectNotFound: 404, except for a missing bucket.
            NotModifiedResponse: 304.
            StoreError: any other error, or one of its subclasses, as in `ports.ObjectStore`.
        """
        try:
            yield
        except api_errors.GoogleAPICallError as error:
            # Neither `errors` nor `str`, which uses them: they raise for an unexpected body.
            details = str(getattr(error.response, "text", ""))
            status = int(error.code or 0)
            raise self._by_status(doing, status, f"{status} {error.message}", details) from None
        except InvalidResponse as error:
            response = cast("requests.Response", error.response)
            status, details = int(response.status_code), response.text
            raise self._by_status(doing, status, f"{error} {details}", details) from None
        except auth_errors.GoogleAuthError as error:
            raise _auth_error(doing, error) from None
        except requests.TooManyRedirects as error:
            address = printable(str(error))
            message = f"{doing}: the storage server redirects to another address ({address})"
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
            message = f"{doing}: the answer is malformed ({_cause(error)})"
            raise OutcomeUnknown(message) from None

    def _by_status(  # noqa: PLR0911 - a table
        self, doing: str, status: int, text: str, details: str
    ) -> Exception:
        answer = printable(text, limit=160)
        message = (
            f"{doing} in bucket {self._bucket}: the storage server answered {status} ({answer})"
        )
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
                    f"{message}. Grant roles/storage.objectUser on gs://{self._bucket} (it has "
                    "storage.objects.create, delete, get and list), and check that the "
                    "credentials are still valid"
                )
            case _ if status in _TRY_AGAIN or status >= _SERVER_ERROR:
                return OutcomeUnknown(message, busy=status in _TOO_MANY)
            case _:
                return StoreError(message)


def _cause(error: Exception) -> str:
    """Return the innermost exception as text, without addresses of Python objects."""
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
        f"{doing}: the credentials were refused ({_cause(error)}). Use "
        "google-github-actions/auth in a workflow, or `gcloud auth application-default login` here"
    )
