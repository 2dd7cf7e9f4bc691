"""Names of locks and buckets, and the objects that belong to a lock."""

import re
from dataclasses import dataclass

from gcs_ci_lock.errors import UsageError
from gcs_ci_lock.protocol.json_reader import JsonReader, refuse
from gcs_ci_lock.protocol.text import printable

_SEGMENT = re.compile(r"[a-z0-9._-]{1,64}")
LEASE_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_RESERVED = frozenset({".", "..", "queue"})
_MAX_SEGMENTS = 8
# https://cloud.google.com/storage/docs/buckets#naming, loosely: dotted names may be longer.
_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
_PREFIX = re.compile(r"[A-Za-z0-9._-]{1,64}(/[A-Za-z0-9._-]{1,64}){0,7}")
DEFAULT_PREFIX = "locks"


def validate_name(name: str) -> str:
    """Return `name`, unchanged, if it may name a lock.

    Args:
        name: 1-8 segments of [a-z0-9._-]{1,64} joined by "/".

    Raises:
        UsageError: the name is not allowed.
    """
    segments = name.split("/")
    well_formed = all(_SEGMENT.fullmatch(segment) for segment in segments)
    if well_formed and len(segments) <= _MAX_SEGMENTS and _RESERVED.isdisjoint(segments):
        return name
    message = (
        f'lock name "{printable(name)}" is not allowed: expected 1 to {_MAX_SEGMENTS} segments '
        'joined by "/", each of 1 to 64 of a-z 0-9 . _ - and none of them ".", ".." or "queue", '
        'for example "prod" or "acme/api/prod"'
    )
    raise UsageError(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """Where locks are stored: a bucket and the prefix of their objects' names."""

    bucket: str
    prefix: str

    @classmethod
    def parse(cls, text: str) -> "Location":
        """Read `BUCKET`, `gs://BUCKET` or `gs://BUCKET/PREFIX`.

        Raises:
            UsageError: the text is none of these.
        """
        bare = text.strip().removeprefix("gs://")
        bucket, _, prefix = bare.partition("/")
        prefix = prefix.rstrip("/") or DEFAULT_PREFIX
        dots = {".", ".."} & set(prefix.split("/"))
        if not _BUCKET.fullmatch(bucket) or not _PREFIX.fullmatch(prefix) or dots:
            message = (
                f'bucket "{printable(text)}" is not valid: expected BUCKET or gs://BUCKET/PREFIX, '
                'for example "acme-locks" or "gs://acme-locks/locks"'
            )
            raise UsageError(message)
        return cls(bucket=bucket, prefix=prefix)

    def __str__(self) -> str:
        """Return gs://BUCKET/PREFIX."""
        return f"gs://{self.bucket}/{self.prefix}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LockPaths:
    """The objects of one lock, as paths inside the bucket."""

    location: Location
    name: str

    @property
    def record(self) -> str:
        """The record's object."""
        return f"{self.location.prefix}/{self.name}/lock.json"

    @property
    def queue(self) -> str:
        """The prefix of all tickets' objects."""
        return f"{self.location.prefix}/{self.name}/queue/"

    def ticket(self, lease_id: str) -> str:
        """Return the object of the waiter `lease_id`."""
        return self.queue + lease_id

    @property
    def uri(self) -> str:
        """The lock, for people: gs://BUCKET/PREFIX/NAME."""
        return f"{self.location}/{self.name}"

    @property
    def record_uri(self) -> str:
        """The record's object as gs://BUCKET/PATH."""
        return f"gs://{self.location.bucket}/{self.record}"


def read_lease(item: JsonReader) -> str:
    """Return the field "lease".

    Raises:
        InvalidJson: it is not a lease id.
    """
    value = item.text("lease")
    if not LEASE_ID.fullmatch(value):
        refuse(f"{item.where}.lease", "1 to 128 letters, digits, - or _", value)
    return value
