"""Cloud Storage, by Google's own client.

One request per call, without the client's own retries: after a success whose response was lost, a
retry would fail the precondition.
"""

from collections.abc import Mapping, Sequence
from typing import IO, cast

from google.cloud import storage

from gcs_ci_lock.errors import PreconditionFailed, StoreError
from gcs_ci_lock.ports import NotFound, NotModified, ObjectInfo, ObjectRead
from gcs_ci_lock.storage.responses import NotModifiedResponse, ObjectNotFound, ResponseErrors

# A page has up to 1,000 objects; a longer listing is not a queue of jobs.
MAX_PAGES = 100
LISTED = "items(name,generation,timeCreated,updated,metadata),nextPageToken"


class GcsStore:
    """An `ObjectStore` on Cloud Storage, or on a server with its JSON API.

    Args:
        client: as returned by `storage.connection.storage_client`.
        bucket: its bare name.
    """

    def __init__(self, client: storage.Client, bucket: str) -> None:
        self._client = client
        # Not get_bucket(): that is a request, and needs a permission on the bucket.
        self._bucket = client.bucket(bucket)
        self._name = bucket
        self._errors = ResponseErrors(bucket)

    def read(
        self, path: str, *, known: int | None, limit: int, timeout: float
    ) -> ObjectRead | NotFound | NotModified:
        """Read one object; see `ports.ObjectStore.read`."""
        blob = self._bucket.blob(path)
        sink = _Sink(limit)
        try:
            with self._errors.translate(f"reading {path}"):
                blob.download_to_file(
                    cast("IO[bytes]", sink),
                    if_generation_not_match=known,
                    timeout=timeout,
                    retry=None,
                )
                generation = int(blob.generation or 0)
        except NotModifiedResponse:
            if known is None:
                raise
            return NotModified()
        except ObjectNotFound:
            return NotFound()
        except _TooLargeError:
            # A record that is too large is never overwritten, so its generation does not matter.
            return ObjectRead(body=None, generation=0)
        if not generation:
            message = f"{self._uri(path)} came without a generation: expected the Cloud Storage API"
            raise StoreError(message)
        # A server that ignores the precondition sends the object again.
        if generation == known:
            return NotModified()
        return ObjectRead(body=bytes(sink.body), generation=generation)

    def write(
        self,
        path: str,
        body: bytes,
        *,
        generation: int,
        metadata: Mapping[str, str] | None = None,
        timeout: float,
    ) -> ObjectInfo:
        """Replace or create one object; see `ports.ObjectStore.write`."""
        blob = self._bucket.blob(path)
        blob.cache_control = "no-store"
        if metadata is not None:
            blob.metadata = dict(metadata)
        try:
            with self._errors.translate(f"writing {path}"):
                blob.upload_from_string(
                    body,
                    content_type="application/json",
                    if_generation_match=generation,
                    timeout=timeout,
                    retry=None,
                )
                return _object_info(blob)
        except ObjectNotFound:
            if generation:
                message = f"{self._uri(path)} does not exist"
                raise PreconditionFailed(message) from None
            raise self._errors.no_bucket() from None

    def list(self, prefix: str, *, timeout: float) -> Sequence[ObjectInfo]:
        """Return all objects below a prefix; see `ports.ObjectStore.list`."""
        try:
            with self._errors.translate(f"listing {prefix}"):
                blobs = self._client.list_blobs(
                    self._bucket, prefix=prefix, fields=LISTED, timeout=timeout, retry=None
                )
                found: list[ObjectInfo] = []
                for number, page in enumerate(blobs.pages, start=1):
                    if number > MAX_PAGES:
                        message = f"listing {prefix}: expected at most {MAX_PAGES} pages"
                        raise StoreError(message)
                    found += [_object_info(blob) for blob in page]
                return found
        except ObjectNotFound:
            raise self._errors.no_bucket() from None

    def delete(self, path: str, *, generation: int, timeout: float) -> None:
        """Delete one object; see `ports.ObjectStore.delete`."""
        try:
            with self._errors.translate(f"deleting {path}"):
                self._bucket.blob(path).delete(
                    if_generation_match=generation, timeout=timeout, retry=None
                )
        except ObjectNotFound:
            return

    def _uri(self, path: str) -> str:
        return f"gs://{self._name}/{path}"


class _TooLargeError(Exception):
    """The object has more bytes than the limit."""


class _Sink:
    """Receives a body up to a limit: anyone with access may have stored gigabytes there."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.body = bytearray()

    def write(self, chunk: bytes) -> int:
        if len(self.body) + len(chunk) > self._limit:
            raise _TooLargeError
        self.body += chunk
        return len(chunk)

    def seek(self, offset: int) -> int:
        """Start over; the client does so if the server decompresses a stored gzip object."""
        del self.body[offset:]
        return offset


def _object_info(blob: storage.Blob) -> ObjectInfo:
    created, updated = blob.time_created, blob.updated
    return ObjectInfo(
        path=str(blob.name),
        generation=int(blob.generation),
        created_text=created.isoformat() if created else "",
        updated_text=updated.isoformat() if updated else "",
        metadata={str(key): str(value) for key, value in (blob.metadata or {}).items()},
    )
