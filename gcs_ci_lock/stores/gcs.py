"""Cloud Storage by Google's own client; the only importer of google.*.

One request per call, none tried again: the client's own retries turn a success whose answer was
lost into a false refusal.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import IO, Any, cast

import requests
from google.api_core import exceptions as refusals
from google.auth import credentials as auth_credentials
from google.auth import exceptions as auth_errors
from google.auth.transport.requests import AuthorizedSession
from google.cloud import storage
from google.cloud.storage.exceptions import DataCorruption, InvalidResponse
from requests.adapters import HTTPAdapter

from gcs_ci_lock.core.pinned import Pinned
from gcs_ci_lock.core.text import printable
from gcs_ci_lock.errors import (
    Ambiguous,
    BucketMissing,
    Changed,
    Denied,
    StoreError,
)
from gcs_ci_lock.ports import Clock, Entry, Found, Missing, ServerClock, Unchanged
from gcs_ci_lock.stores.credentials import load, pin
from gcs_ci_lock.stores.endpoint import Endpoint

GOOGLE = "https://storage.googleapis.com"
# A page has up to a thousand entries; a queue that long is no queue.
MOST_PAGES = 100
LISTED = "items(name,generation,timeCreated,updated,metadata),nextPageToken"
# What real Cloud Storage and its test servers say when it is the bucket that is missing.
_NO_BUCKET = re.compile(
    r"(specified bucket|\bbucket \S+) does not exist|bucket not found", re.IGNORECASE
)
_TRY_AGAIN = frozenset({408, 409, 429})
_TOO_MANY = frozenset({429, 503})
_SERVER_ERROR = 500


class GcsStore:
    """One bucket of Cloud Storage, or of a server that speaks its JSON API."""

    def __init__(self, client: storage.Client, bucket: str) -> None:
        """Take a client whose session reports dates; no request is made."""
        self._client = client
        # Not get_bucket(): that would be a request, and need a permission on the bucket.
        self._bucket = client.bucket(bucket)
        self._name = bucket

    def read(
        self, path: str, *, known: int | None, limit: int, timeout: float
    ) -> Found | Missing | Unchanged:
        """Read one object; see `ports.Store.read`."""
        blob = self._bucket.blob(path)
        sink = _Sink(limit)
        try:
            with self._translated(f"reading {path}"):
                blob.download_to_file(
                    cast("IO[bytes]", sink),
                    if_generation_not_match=known,
                    timeout=timeout,
                    retry=None,
                )
                generation = int(blob.generation or 0)
        except _NotModified:
            if known is None:
                raise
            return Unchanged()
        except _NoObject:
            return Missing()
        except _TooLargeError:
            # Nobody writes over what nobody has read: its generation does not matter.
            return Found(body=None, generation=0)
        if not generation:
            message = f"{self._uri(path)} came without a generation: expected a Cloud Storage API"
            raise StoreError(message)
        # A server that ignores the precondition sends it again.
        if generation == known:
            return Unchanged()
        return Found(body=bytes(sink.body), generation=generation)

    def write(
        self,
        path: str,
        body: bytes,
        *,
        generation: int,
        metadata: Mapping[str, str] | None = None,
        timeout: float,
    ) -> Entry:
        """Replace or create one object; see `ports.Store.write`."""
        blob = self._bucket.blob(path)
        blob.cache_control = "no-store"
        if metadata is not None:
            blob.metadata = dict(metadata)
        try:
            with self._translated(f"writing {path}"):
                blob.upload_from_string(
                    body,
                    content_type="application/json",
                    if_generation_match=generation,
                    timeout=timeout,
                    retry=None,
                )
                return _entry(blob)
        except _NoObject:
            if generation:
                message = f"{self._uri(path)} is gone"
                raise Changed(message) from None
            raise self._no_bucket() from None

    def list(self, prefix: str, *, timeout: float) -> Sequence[Entry]:
        """Return all objects below a prefix; see `ports.Store.list`."""
        try:
            with self._translated(f"listing {prefix}"):
                blobs = self._client.list_blobs(
                    self._bucket, prefix=prefix, fields=LISTED, timeout=timeout, retry=None
                )
                entries: list[Entry] = []
                for number, page in enumerate(blobs.pages, start=1):
                    if number > MOST_PAGES:
                        message = f"listing {prefix}: expected at most {MOST_PAGES} pages"
                        raise StoreError(message)
                    entries += [_entry(blob) for blob in page]
                return entries
        except _NoObject:
            raise self._no_bucket() from None

    def delete(self, path: str, *, generation: int, timeout: float) -> None:
        """Delete one object; see `ports.Store.delete`."""
        try:
            with self._translated(f"deleting {path}"):
                self._bucket.blob(path).delete(
                    if_generation_match=generation, timeout=timeout, retry=None
                )
        except _NoObject:
            return

    def _uri(self, path: str) -> str:
        return f"gs://{self._name}/{path}"

    def _no_bucket(self) -> BucketMissing:
        return BucketMissing(
            f'bucket "{self._name}" does not exist: expected the name of an existing bucket. '
            f"Make one with: gcloud storage buckets create gs://{self._name}"
        )

    @contextmanager
    def _translated(self, doing: str) -> Iterator[None]:
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
            raise Ambiguous(message) from None
        except (
            ArithmeticError,
            AttributeError,
            KeyError,
            RecursionError,
            TypeError,
            ValueError,
        ) as error:
            message = f"{doing}: the answer cannot be understood ({_cause(error)})"
            raise Ambiguous(message) from None

    def _refused(  # noqa: PLR0911 - a table
        self, doing: str, status: int, text: str, details: str
    ) -> Exception:
        said = printable(text, limit=160)
        message = f"{doing} in bucket {self._name}: the storage server answered {status} ({said})"
        match status:
            case 304:
                return _NotModified(message)
            case 404:
                return self._no_bucket() if _NO_BUCKET.search(text) else _NoObject()
            case 412:
                return Changed(message)
            case 403 if "ateLimitExceeded" in details:
                return Ambiguous(message, busy=True)
            case 401 | 403:
                return Denied(
                    f"{message}. Expected permission for storage.objects.create, delete, get and "
                    f"list in gs://{self._name} (role roles/storage.objectUser), and credentials "
                    "that are still valid"
                )
            case _ if status in _TRY_AGAIN or status >= _SERVER_ERROR:
                return Ambiguous(message, busy=status in _TOO_MANY)
            case _:
                return StoreError(message)


def connect(
    bucket: str,
    *,
    endpoint: str | None,
    environ: Mapping[str, str],
    pinned: Pinned | None = None,
    clock: Clock,
    server_clock: ServerClock,
    log: Callable[[str], None] | None = None,
) -> GcsStore:
    """Return a store for a bucket; nothing is asked of the bucket.

    Args:
        bucket: its bare name.
        endpoint: another server's URL, or None for Google's.
        environ: tells whether STORAGE_EMULATOR_HOST is set, and where credentials are.
        pinned: credentials; None: those that `environ` names.
        clock: dates the requests.
        server_clock: is shown every `Date`.
        log: is given one line for each request.

    Raises:
        UsageError: the endpoint cannot be used.
        Denied: there are no credentials.
    """
    target = Endpoint.choose(endpoint, environ)
    credentials = _anonymous() if target.anonymous else load(pinned or pin(environ))
    session = requests.Session()
    if not target.anonymous:
        # A token that is refused is renewed once: a request that got 401 was not carried out.
        session = AuthorizedSession(credentials, max_refresh_attempts=1)
    # Else a password of ~/.netrc would replace the token.
    session.auth = _unchanged
    if target.loopback:
        # A proxy for the world outside must not divert what never leaves this machine.
        session.trust_env = False
    session.max_redirects = 0
    adapter = _Observed(clock, server_clock, log)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    client = storage.Client(
        # No request of ours names a project; without one the client would look for it.
        project="none",
        credentials=credentials,
        _http=session,
        # Always: where none is given, the client takes one from the environment, http included.
        client_options={"api_endpoint": target.url or GOOGLE},
    )
    # The client asks for the bucket's metadata behind our back, to label traces that nobody
    # collects: two requests a call, by a permission that we do not need.
    client._bucket_metadata_cache = None  # noqa: SLF001 - there is no public switch
    return GcsStore(client, bucket)


class _Observed(HTTPAdapter):
    """Shows the `Date` of every answer, refusals included, to the server clock.

    Requests for tokens go through another session: their `Date` is another server's.
    """

    def __init__(
        self, clock: Clock, server_clock: ServerClock, log: Callable[[str], None] | None
    ) -> None:
        super().__init__(max_retries=0)
        self._clock = clock
        self._server_clock = server_clock
        self._log = log

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # type: ignore[override]  # noqa: ANN401 - handed on as they came
        sent = self._clock.boot()
        outcome = "no answer"
        try:
            response = super().send(request, **options)
            received = self._clock.boot()
            outcome = str(response.status_code)
            date = _date(response.headers.get("Date", ""))
            if date is not None:
                self._server_clock.observe(date=date, sent=sent, received=received)
            return response
        finally:
            if self._log is not None:
                url = printable(request.url or "", limit=300)
                took = (self._clock.boot() - sent) * 1000
                self._log(f"{request.method} {url} -> {outcome} in {took:.0f} ms")


class _NotModified(StoreError):
    """304."""


class _NoObject(Exception):
    """404 for an object."""


class _TooLargeError(Exception):
    """The object has more bytes than are wanted."""


class _Sink:
    """Takes a body up to a limit: a stranger may have put gigabytes there."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.body = bytearray()

    def write(self, chunk: bytes) -> int:
        if len(self.body) + len(chunk) > self._limit:
            raise _TooLargeError
        self.body += chunk
        return len(chunk)

    def seek(self, offset: int) -> int:
        """Begin anew; the client does so where the server unpacks what is stored packed."""
        del self.body[offset:]
        return offset


def _entry(blob: storage.Blob) -> Entry:
    created, updated = blob.time_created, blob.updated
    return Entry(
        path=str(blob.name),
        generation=int(blob.generation),
        created_text=created.isoformat() if created else "",
        updated_text=updated.isoformat() if updated else "",
        metadata={str(key): str(value) for key, value in (blob.metadata or {}).items()},
    )


def _unchanged(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _date(header: str) -> float | None:
    try:
        moment = parsedate_to_datetime(header)
        # Of the three forms that HTTP allows one names no zone; all three are in UTC.
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


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
        return Ambiguous(f"{doing}: no answer from the token server ({_cause(error)})")
    return Denied(
        f"{doing}: the credentials were refused ({_cause(error)}). Expected valid ones: "
        "google-github-actions/auth in a workflow, `gcloud auth application-default login` here"
    )


def _anonymous() -> auth_credentials.Credentials:
    return auth_credentials.AnonymousCredentials()
