"""A bucket in memory with the contract of `ports.ObjectStore`, for tests and simulations."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import floor
from typing import Literal, TypeVar

from gcs_ci_lock.errors import PreconditionFailed
from gcs_ci_lock.ports import Clock, NotFound, NotModified, ObjectInfo, ObjectRead, ServerClock

_T = TypeVar("_T")
Moment = Literal["before", "after"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request as the server received it."""

    method: Literal["read", "write", "list", "delete"]
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Object:
    body: bytes
    entry: ObjectInfo


class MemoryBucket:
    """The server: objects, generations and its clock; empty at first.

    Args:
        server_time: returns the server's time, seconds since the epoch.
    """

    def __init__(self, server_time: Callable[[], float]) -> None:
        self.server_time = server_time
        self.objects: dict[str, _Object] = {}
        self._generation = 1_000
        self._stamp = 0.0

    def next_generation(self) -> int:
        """Return a generation that was never used before."""
        self._generation += 1
        return self._generation

    def stamp(self) -> str:
        """Return the time as in `timeCreated`: in milliseconds, strictly rising."""
        self._stamp = max(self._stamp + 0.001, self.server_time())
        moment = datetime.fromtimestamp(self._stamp, UTC)
        return moment.isoformat(timespec="milliseconds")


class MemoryStore:
    """An `ObjectStore` for one client of a bucket in memory.

    Args:
        bucket: shared by all clients.
        clock: measures when requests are sent and responses received.
        server_clock: gets the `Date` of every response.
        fault: called before and after each request is carried out; the client gets what it raises.
            If it raises "after", the request has had its effect.
    """

    def __init__(
        self,
        bucket: MemoryBucket,
        *,
        clock: Clock,
        server_clock: ServerClock,
        fault: Callable[[Request, Moment], None] | None = None,
    ) -> None:
        self._bucket = bucket
        self._clock = clock
        self._server_clock = server_clock
        self._fault = fault or _no_fault
        self.requests: list[Request] = []

    def read(
        self,
        path: str,
        *,
        known: int | None,
        limit: int,
        timeout: float,  # noqa: ARG002 - nothing takes time here
    ) -> ObjectRead | NotFound | NotModified:
        """Read one object; see `ports.ObjectStore.read`."""
        return self._request(
            Request(method="read", path=path), lambda: self._read(path, known, limit)
        )

    def write(
        self,
        path: str,
        body: bytes,
        *,
        generation: int,
        metadata: Mapping[str, str] | None = None,
        timeout: float,  # noqa: ARG002
    ) -> ObjectInfo:
        """Replace or create one object; see `ports.ObjectStore.write`."""
        return self._request(
            Request(method="write", path=path),
            lambda: self._write(path, body, generation, metadata or {}),
        )

    def list(self, prefix: str, *, timeout: float) -> Sequence[ObjectInfo]:  # noqa: ARG002
        """Return all objects below a prefix; see `ports.ObjectStore.list`."""
        return self._request(Request(method="list", path=prefix), lambda: self._list(prefix))

    def delete(self, path: str, *, generation: int, timeout: float) -> None:  # noqa: ARG002
        """Delete one object; see `ports.ObjectStore.delete`."""
        self._request(Request(method="delete", path=path), lambda: self._delete(path, generation))

    def _request(self, request: Request, carry_out: Callable[[], _T]) -> _T:
        sent = self._clock.boottime()
        self.requests.append(request)
        self._fault(request, "before")
        try:
            response = carry_out()
        finally:
            date = float(floor(self._bucket.server_time()))
            self._fault(request, "after")
            self._server_clock.observe(date=date, sent=sent, received=self._clock.boottime())
        return response

    def _read(
        self, path: str, known: int | None, limit: int
    ) -> ObjectRead | NotFound | NotModified:
        there = self._bucket.objects.get(path)
        if there is None:
            return NotFound()
        if there.entry.generation == known:
            return NotModified()
        if len(there.body) > limit:
            return ObjectRead(body=None, generation=0)
        return ObjectRead(body=there.body, generation=there.entry.generation)

    def _write(
        self, path: str, body: bytes, generation: int, metadata: Mapping[str, str]
    ) -> ObjectInfo:
        self._expect(path, generation)
        stamp = self._bucket.stamp()
        entry = ObjectInfo(
            path=path,
            generation=self._bucket.next_generation(),
            created_text=stamp,
            updated_text=stamp,
            metadata=dict(metadata),
        )
        self._bucket.objects[path] = _Object(body=body, entry=entry)
        return entry

    def _list(self, prefix: str) -> Sequence[ObjectInfo]:
        return [
            o.entry for path, o in sorted(self._bucket.objects.items()) if path.startswith(prefix)
        ]

    def _delete(self, path: str, generation: int) -> None:
        if path in self._bucket.objects:
            self._expect(path, generation)
            del self._bucket.objects[path]

    def _expect(self, path: str, generation: int) -> None:
        there = self._bucket.objects.get(path)
        found = there.entry.generation if there else 0
        if found != generation:
            message = f"{path} has generation {found}, not {generation}"
            raise PreconditionFailed(message)


def _no_fault(_request: Request, _moment: Moment) -> None:
    return
