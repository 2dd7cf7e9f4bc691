"""What the engine needs of the world: storage, clocks, randomness, and requests to stop.

Each port has two implementations, one real and one for tests, and one contract that both pass
(tests/contracts). Everything below the adapters sees only these.
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
        body: its bytes, or None where it has more than the limit that was asked for.
        generation: of the version read; not known, and 0, where there is no body.
    """

    body: bytes | None
    generation: int


@dataclass(frozen=True, slots=True)
class NotFound:
    """There is no such object."""


@dataclass(frozen=True, slots=True)
class NotModified:
    """The object's generation is still the one known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectInfo:
    """One object in a listing, or one just written.

    Attributes:
        path: the whole name of the object.
        created_text: the server's `timeCreated` of this generation, in RFC 3339; "" if the server
            did not say.
        updated_text: `updated` likewise.
        metadata: custom metadata; a stranger may have written it.
    """

    path: str
    generation: int
    created_text: str
    updated_text: str
    metadata: Mapping[str, str]


class ObjectStore(Protocol):
    """One bucket, changed only by compare-and-swap on an object's generation.

    Every call is one attempt: a listing one request a page, anything else one request. Nothing is
    tried again inside, but that credentials which are refused are renewed once. Every answer that
    carries a `Date`, refusals included, is shown to `server_time`. All calls may be made from
    several threads. A timeout is the time without a byte from the server: one that drips takes
    longer.

    In model/lock.pml: arrive.

    Raises (every method):
        OutcomeUnknown: no usable answer (time-out, reset, 408, 409, 429, 5xx, half a body): the
            request may or may not have been carried out.
        Denied: 401 or 403, or no credentials.
        BucketMissing: the server says so.
        StoreError: any other refusal.
    """

    def read(
        self, path: str, *, known: int | None, limit: int, timeout: float
    ) -> ObjectRead | NotFound | NotModified:
        """Read one object.

        Args:
            path: the object's whole name.
            known: a generation that need not be sent again, or None.
            limit: bytes that are read at most.
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
        """Replace or create one object, and return what is there now.

        Args:
            path: the object's whole name.
            body: the whole content.
            generation: the one expected there; 0: the object must not exist.
            metadata: custom metadata of the new version.
            timeout: seconds.

        Raises:
            PreconditionFailed: another generation, or none, is there; also after our own write
                whose answer was lost: never conclude from it.
        """
        ...

    def list(self, prefix: str, *, timeout: float) -> Sequence[ObjectInfo]:
        """Return all objects whose names begin with `prefix`, all pages, in order of name."""
        ...

    def delete(self, path: str, *, generation: int, timeout: float) -> None:
        """Delete one object; one that is gone already is no error.

        Raises:
            PreconditionFailed: another generation is there.
        """
        ...


class Clock(Protocol):
    """The local boot clock, which counts suspension; and what it says of the server's time."""

    def boottime(self) -> float:
        """Return seconds since some fixed moment; never goes back, goes on during suspension."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait; longer if the machine is suspended."""
        ...


class ServerClock(Protocol):
    """The storage server's time as known from its `Date` headers."""

    def observe(self, *, date: float, sent: float, received: float) -> None:
        """Take one answer into account; times as in `protocol.server_time.Sample`."""
        ...

    def at(self, boot: float) -> Interval:
        """Return the server time at a reading of the boot clock.

        Raises:
            StoreError: no answer with a `Date` has come yet.
        """
        ...


class Random(Protocol):
    """Randomness."""

    def fraction(self) -> float:
        """Return a number in [0, 1)."""
        ...

    def lease_id(self) -> str:
        """Return 128 random bits as 26 or so characters of [a-z0-9]."""
        ...


# Prints a title and lines; where the log can fold them away, only the title is seen at first.
Show = Callable[[str, Sequence[str]], None]


class WaitObserver(Protocol):
    """Whoever wants to know how the wait goes on."""

    def on_claim(self, lease: str) -> None:
        """Take note of the lease id that is going to be claimed, before anything is written."""
        ...

    def on_wait(self, status: WaitStatus) -> None:
        """Take note of a look at the lock; called at every poll."""
        ...


# Asks a CI system: returns the proof that the owner's job is over, or ""; may block, and fail.
Ask = Callable[[Owner], str]


class Verifier(Protocol):
    """Whoever can ask a CI system whether the job of a holder is over."""

    def proof(self, owner: Owner, *, every: float) -> str:
        """Return the proof that the owner's job is over, for people and the history, or "".

        "" says nothing: the job runs, or nobody knows, or the answer is not here yet. Returns at
        once: questions are asked in the background, one at a time.

        Args:
            owner: whose job it is, as a record tells.
            every: seconds that are between two questions about one owner, at least.
        """
        ...


class Stop(Protocol):
    """Somebody's wish that the work in hand ends; a `threading.Event` is one."""

    def is_set(self) -> bool:
        """Tell whether it has been uttered."""
        ...

    def wait(self, seconds: float, /) -> bool:
        """Wait until it is uttered or the time is over; tell whether it has been uttered."""
        ...
