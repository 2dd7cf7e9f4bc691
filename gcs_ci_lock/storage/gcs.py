"""Cloud Storage by Google's own client.

One request per call, none tried again: the client's own retries turn a success whose answer was
lost into a false refusal.
"""

from collections.abc import Mapping, Sequence
from typing import IO, cast

from google.cloud import storage

from gcs_ci_lock.errors import PreconditionFailed, StoreError
from gcs_ci_lock.ports import NotFound, NotModified, ObjectInfo, ObjectRead
from gcs_ci_lock.storage.responses import NotModifiedResponse, ObjectNotFound, ResponseErrors

# A page has up to a thousand entries; a queue that long is no queue.
MOST_PAGES = 100
LISTED = "items(name,generation,timeCreated,updated,metadata),nextPageToken"


class GcsStore:
    """One bucket of Cloud Storage, or of a server that speaks its JSON API."""

    def __init__(self, client: storage.Client, bucket: str) -> None:
        """Take a client whose session reports dates; no request is made."""
        self._client = client
        # Not get_bucket(): that would be a request, and need a permission on the bucket.
        self._bucket = client.bucket(bucket)
        self._name = bucket
        self._refusals = ResponseErrors(bucket)

    def read(
        self, path: str, *, known: int | None, limit: int, timeout: float
    ) -> ObjectRead | NotFound | NotModified:
        """Read one object; see `ports.ObjectStore.read`."""
        blob = self._bucket.blob(path)
        sink = _Sink(limit)
        try:
            with self._refusals.translated(f"reading {path}"):
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
            # Nobody writes over what nobody has read: its generation does not matter.
            return ObjectRead(body=None, generation=0)
        if not generation:
            message = f"{self._uri(path)} came without a generation: expected a Cloud Storage API"
            raise StoreError(message)
        # A server that ignores the precondition sends it again.
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
            with self._refusals.translated(f"writing {path}"):
                blob.upload_from_string(
                    body,
                    content_type="application/json",
                    if_generation_match=generation,
                    timeout=timeout,
                    retry=None,
                )
                return _entry(blob)
        except ObjectNotFound:
            if generation:
                message = f"{self._uri(path)} is gone"
                raise PreconditionFailed(message) from None
            raise self._refusals.no_bucket() from None

    def list(self, prefix: str, *, timeout: float) -> Sequence[ObjectInfo]:
        """Return all objects below a prefix; see `ports.ObjectStore.list`."""
        try:
            with self._refusals.translated(f"listing {prefix}"):
                blobs = self._client.list_blobs(
                    self._bucket, prefix=prefix, fields=LISTED, timeout=timeout, retry=None
                )
                entries: list[ObjectInfo] = []
                for number, page in enumerate(blobs.pages, start=1):
                    if number > MOST_PAGES:
                        message = f"listing {prefix}: expected at most {MOST_PAGES} pages"
                        raise StoreError(message)
                    entries += [_entry(blob) for blob in page]
                return entries
        except ObjectNotFound:
            raise self._refusals.no_bucket() from None

    def delete(self, path: str, *, generation: int, timeout: float) -> None:
        """Delete one object; see `ports.ObjectStore.delete`."""
        try:
            with self._refusals.translated(f"deleting {path}"):
                self._bucket.blob(path).delete(
                    if_generation_match=generation, timeout=timeout, retry=None
                )
        except ObjectNotFound:
            return

    def _uri(self, path: str) -> str:
        return f"gs://{self._name}/{path}"


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


def _entry(blob: storage.Blob) -> ObjectInfo:
    created, updated = blob.time_created, blob.updated
    return ObjectInfo(
        path=str(blob.name),
        generation=int(blob.generation),
        created_text=created.isoformat() if created else "",
        updated_text=updated.isoformat() if updated else "",
        metadata={str(key): str(value) for key, value in (blob.metadata or {}).items()},
    )
