"""What the engine needs of the world: storage, clocks, randomness, and requests to stop.

Each port has two implementations, one real and one for tests, and one contract for both
(tests/contracts). The code below the adapters knows only the ports.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from gcs_ci_lock.protocol.record import Owner
from gcs_ci_lock.protocol.server_time import Interval
from gcs_ci_lock.protocol.wait_status import WaitStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRead:
    """An object as it was read.

    Attributes:
        body: its bytes, or None if it is larger than the limit of the request.
        generation: of the version read; 0 if `body` is None.
    """

    body: bytes | None
    generation: int


@dataclass(frozen=True, slots=True)
class NotFound:
    """The object does not exist."""


@dataclass(frozen=True, slots=True)
class NotModified:
    """The object still has the known generation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectInfo:
    """One object in a listing, or one just written.

    Attributes:
        path: the full name of the object.
        generation: of this version.
        created_text: the server's `timeCreated` of this generation, in RFC 3339; "" if the server
            did not send it.
        updated_text: the server's `updated`, likewise.
        metadata: custom metadata; untrusted.
    """

    path: str
    generation: int
    created_text: str
    updated_text: str
    metadata: Mapping[str, str]


class ObjectStore(Protocol):
    """One bucket, changed only by compare-and-swap on an object's generation.

    Every call is one attempt: one request per page of a listing, otherwise one request. There are
    no retries, except that refused credentials are refreshed once. The `Date` of every response,
    errors included, is reported to the server clock. Several threads may use a store. A timeout is
    the time without a byte from the server: a slow response may take longer.

    In model/lock.pml: arrive.

    Raises (every method):
        OutcomeUnknown: no usable response (timeout, reset, 408, 409, 429, 5xx, half a body): the
            request may or may not have been carried out.
        Denied: 401 or 403, or no credentials.
        BucketMissing: the bucket does not exist.
        StoreError: any other error.
    """

    def read(
        self, path: str, *, known: int | None, limit: int, timeout: float
    ) -> ObjectRead | NotFound | NotModified:
        """Read one object.

        Args:
            path: the object's full name.
            known: a generation that the server need not send again, or None.
            limit: bytes to read at most.
            timeout: seconds.
        """
        ...

    def write(
        self,
        path: str,
        body: bytes,
        *,
        generation: int,
        metadata: Mapping[str, str] | None = None,
        timeout: float,
    ) -> ObjectInfo:
        """Replace or create one object; return its new version.

        Args:
            path: the object's full name.
            body: the whole content.
            generation: the one expected; 0: the object must not exist.
            metadata: custom metadata of the new version.
            timeout: seconds.

        Raises:
            PreconditionFailed: the object has another generation, or does not exist. Conclude
                nothing from it: our own write, whose response was lost, may be the reason.
        """
        ...

    def list(self, prefix: str, *, timeout: float) -> Sequence[ObjectInfo]:
        """Return all objects whose names begin with `prefix`, all pages, in order of name."""
        ...

    def delete(self, path: str, *, generation: int, timeout: float) -> None:
        """Delete one object; it is not an error if it does not exist.

        Raises:
            PreconditionFailed: the object has another generation.
        """
        ...


class Clock(Protocol):
    """The local boot clock, which also counts the time of suspension."""

    def boottime(self) -> float:
        """Return seconds since a fixed moment; never goes back, continues during suspension."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait so many seconds, or longer if the machine is suspended."""
        ...


class ServerClock(Protocol):
    """The storage server's time, derived from its `Date` headers."""

    def observe(self, *, date: float, sent: float, received: float) -> None:
        """Note one response; the arguments are those of `protocol.server_time.Sample`."""
        ...

    def at(self, boot: float) -> Interval:
        """Return the server time at a reading of the boot clock.

        Raises:
            StoreError: there was no response with a `Date` yet.
        """
        ...


class Random(Protocol):
    """A source of random numbers and ids."""

    def fraction(self) -> float:
        """Return a number in [0, 1)."""
        ...

    def lease_id(self) -> str:
        """Return 128 random bits as 26 or so characters of [a-z0-9]."""
        ...


# Prints a title and lines; if the log can fold lines, only the title is visible at first.
Show = Callable[[str, Sequence[str]], None]


class WaitObserver(Protocol):
    """Is informed about the progress of a wait."""

    def on_claim(self, lease: str) -> None:
        """Note the lease id that will be claimed, before anything is written."""
        ...

    def on_wait(self, status: WaitStatus) -> None:
        """Note the status of the wait; called at every poll."""
        ...


# Asks a CI system: returns the proof that the owner's job is over, or ""; may block or raise.
Ask = Callable[[Owner], str]


class Verifier(Protocol):
    """Finds out from a CI system whether a holder's job is over."""

    def proof(self, owner: Owner, *, every: float) -> str:
        """Return the proof that the owner's job is over, for people and the history, or "".

        "" proves nothing: the job runs, or it is not known, or the response has not come yet. Does
        not block: questions are asked in the background, one at a time.

        Args:
            owner: the holder's job, from a record.
            every: seconds between two questions about one owner, at least.
        """
        ...


class Stop(Protocol):
    """A request to stop; `threading.Event` is one."""

    def is_set(self) -> bool:
        """Return whether a stop was requested."""
        ...

    def wait(self, seconds: float, /) -> bool:
        """Wait for the stop or until the time is over; return whether a stop was requested."""
        ...
