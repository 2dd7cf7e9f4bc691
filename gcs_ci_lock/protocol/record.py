"""The lock record and its parts, as data; `record_json` reads and writes their JSON.

All times are server time, seconds since the epoch. Anybody may have written the text fields: pass
them through `protocol.text.printable` before showing them.
"""

import math
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Final, Literal, get_args

from gcs_ci_lock.protocol.slots import Slots

HISTORY_LENGTH = 50
SEQUENCES_LENGTH = 100

Outcome = Literal["released", "expired", "evicted"]
OUTCOMES: Final[tuple[str, ...]] = get_args(Outcome)


class LossReason(StrEnum):
    """Why a lease was lost to its job."""

    RENEWAL_OVERDUE = "renewal_overdue"
    """Not renewed within two thirds of its ttl: no network, a suspended machine."""
    MAX_HOLD = "max_hold"
    """Held for max-hold."""
    KEEPER_GONE = "keeper_gone"
    """Its keeper has ended."""
    KEEPER_STOPPED = "keeper_stopped"
    """Its keeper was stopped before the job released the lease."""
    JOB_OVER = "job_over"
    """Its keeper found that the job is over."""
    RELEASED = "released"
    """Released, but not by this step."""
    EXPIRED = "expired"
    """Replaced by another job after it had expired."""
    EVICTED = "evicted"
    """Ended by another job or a person."""
    RECORD_REPLACED = "record_replaced"
    """The record was deleted or replaced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """The job or person that waits for a lock or holds it; any field may be "".

    People read it; `protocol.takeover` and `protocol.obsolete` compare it.

    Attributes:
        identity: a user's name for jobs that never run at the same time.
    """

    platform: str = ""
    repository: str = ""
    workflow: str = ""
    job: str = ""
    run_id: str = ""
    attempt: str = ""
    url: str = ""
    actor: str = ""
    ref: str = ""
    commit: str = ""
    runner: str = ""
    reason: str = ""
    identity: str = ""


OWNER_FIELDS: Final = tuple(f.name for f in fields(Owner))


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """One lease in force.

    Attributes:
        lease: the lease id, random, new for every acquisition.
        owner: the job that holds it.
        slots: how many jobs may hold the lock together, as this one allows.
        token: the fencing token; every grant of this lock has a higher one.
        asked_at: when the holder first read the lock.
        granted_at: when the claim was written.
        expires_at: when the lease expires.
        ttl: seconds from a write to `expires_at`.
        revision: number of the write that stamped `expires_at`; tells attempts apart.
    """

    lease: str
    owner: Owner
    slots: Slots
    token: int
    asked_at: float
    granted_at: float
    expires_at: float
    ttl: float
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PastLease:
    """One lease that has ended.

    Attributes:
        lease: the lease id.
        owner: the job that held it.
        token: the fencing token.
        asked_at: when the holder first read the lock.
        granted_at: when the claim was written.
        ended_at: when the lease ended.
        outcome: how it ended.
        note: why it ended, for people.
        loss: why its job lost it, if the lease was lost when it was released.
    """

    lease: str
    owner: Owner
    token: int
    asked_at: float
    granted_at: float
    ended_at: float
    outcome: Outcome
    note: str = ""
    loss: LossReason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """The lock is not granted; current holders keep it.

    Attributes:
        reason: why, for people.
        author: who froze the lock, for people.
        since: when it was frozen.
        until: when the freeze ends by itself, or None.
    """

    reason: str
    author: str
    since: float
    until: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """The whole state of one lock.

    In model/lock.pml: Record.

    Attributes:
        name: the lock.
        fence: the last token granted.
        freed_at: when a slot last became free; 0 in a new record.
        holders: the leases in force.
        frozen: the freeze, or None.
        sequences: job key -> the highest sequence number that was granted for it.
        history: the leases that ended last, oldest first.
    """

    name: str
    fence: int
    freed_at: float = 0.0
    holders: tuple[Holder, ...] = ()
    frozen: Freeze | None = None
    sequences: dict[str, int] = field(default_factory=dict)
    history: tuple[PastLease, ...] = ()

    def holder(self, lease: str) -> Holder | None:
        """Return the holder with this lease id, or None."""
        return next((h for h in self.holders if h.lease == lease), None)

    def past(self, lease: str) -> PastLease | None:
        """Return the past lease with this id, or None if the history does not contain it."""
        return next((e for e in reversed(self.history) if e.lease == lease), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """One waiter's ticket in the queue, as last read from its object.

    Attributes:
        lease: the waiter's lease id; names the object.
        owner: the job that waits.
        slots: how many jobs may hold the lock together, as this one allows.
        ttl: seconds that its lease would last.
        arrival: server time that decides its position.
        arrival_text: the same as the server wrote it (RFC 3339); passed on unchanged.
        refreshed_at: server time of the version read.
        generation: of the version read.
        created: server time of the object's first version; the arrival, unless the waiter
            superseded an older one and got its position.
        created_text: the same as the server wrote it.
        priority: 0 to 9, higher first.
        job_key: as returned by `obsolete.job_key` for the owner.
        superseded_by: lease id of a newer waiter of the same job, or "".
    """

    lease: str
    owner: Owner
    slots: Slots
    ttl: float
    arrival: float
    arrival_text: str
    refreshed_at: float
    generation: int
    created: float = math.inf
    created_text: str = ""
    priority: int = 5
    job_key: str = ""
    superseded_by: str = ""
