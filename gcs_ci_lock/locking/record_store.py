"""The record's object in the bucket, its generation, and whether that is certain.

In model/lock.pml: look, send, answer.
"""

from dataclasses import dataclass

from gcs_ci_lock.ports import NotFound, ObjectRead, ObjectStore
from gcs_ci_lock.protocol.json_reader import MAX_RECORD_BYTES
from gcs_ci_lock.protocol.names import LockPaths
from gcs_ci_lock.protocol.record import Record
from gcs_ci_lock.protocol.record_json import decode_record, encode_record
from gcs_ci_lock.protocol.timing import Timing


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionedRecord:
    """The record as last read or written; None and generation 0 if there is no object."""

    record: Record | None
    generation: int


class RecordStore:
    """What was last read or written of one record, and whether that is certain.

    Args:
        paths: the lock's objects.
        store: the bucket.
        timing: bounds the time of each request.

    Attributes:
        known: what was last read, or written successfully; empty before the first read.
        certain: False before the first read, and after a write until its effect is known.
        fence_seen: the highest fence that was read; 0 before.
    """

    def __init__(self, paths: LockPaths, *, store: ObjectStore, timing: Timing) -> None:
        self._paths = paths
        self._store = store
        self._timing = timing
        self.known = VersionedRecord(record=None, generation=0)
        self.certain = False
        self.fence_seen = 0

    def read(self) -> VersionedRecord:
        """Read the record; one request.

        Raises:
            StoreError: as raised by `ObjectStore.read`.
            RecordInvalid: the object is not a record of this lock.
        """
        paths, timing = self._paths, self._timing
        answer = self._store.read(
            paths.record,
            known=self.known.generation or None,
            limit=MAX_RECORD_BYTES,
            timeout=timing.read_timeout,
        )
        match answer:
            case ObjectRead():
                record = decode_record(answer.body, uri=paths.record_uri, name=paths.name)
                self._remember(VersionedRecord(record=record, generation=answer.generation))
            case NotFound():
                self._remember(VersionedRecord(record=None, generation=0))
            case _:
                self.certain = True
        return self.known

    def current(self) -> VersionedRecord:
        """Return the known record; read it first if that is not certain.

        Raises:
            StoreError: as raised by `read`.
            RecordInvalid: likewise.
        """
        return self.known if self.certain else self.read()

    def invalidate(self) -> None:
        """Read before the next use."""
        self.certain = False

    def write(self, record: Record, *, over: VersionedRecord) -> None:
        """Write the record if it is still the version `over`; one request.

        Raises:
            PreconditionFailed: it has changed since.
            StoreError: the write may have landed, unless the error says otherwise; read to know.
        """
        # Until a successful response, only a read shows what is stored.
        self.certain = False
        entry = self._store.write(
            self._paths.record,
            encode_record(record),
            generation=over.generation,
            timeout=self._timing.write_timeout,
        )
        self._remember(VersionedRecord(record=record, generation=entry.generation))

    def _remember(self, stored: VersionedRecord) -> None:
        self.known = stored
        self.certain = True
        if stored.record:
            self.fence_seen = max(self.fence_seen, stored.record.fence)
