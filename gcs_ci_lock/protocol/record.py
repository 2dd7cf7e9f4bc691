"""The lock record and its parts, as data; `codec` reads and writes their JSON.

All times are server time, seconds since the epoch. Text fields may hold anything that a stranger
wrote: pass them through `protocol.text.printable` before showing them.
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
    """Held for as long as the job asked at most."""
    KEEPER_GONE = "keeper_gone"
    """Whoever should renew it is gone."""
    KEEPER_STOPPED = "keeper_stopped"
    """Its keeper was told to stop before the job released the lease."""
    JOB_OVER = "job_over"
    """Its keeper found that the job is over."""
    RELEASED = "released"
    """Released, but not by the step that asks now."""
    EXPIRED = "expired"
    """Replaced by another job after it had expired."""
    EVICTED = "evicted"
    """Ended by another job or a person."""
    RECORD_REPLACED = "record_replaced"
    """The record was deleted or replaced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Who asks for or holds a lock; for people, `protocol.takeover` and `protocol.obsolete`.

    Attributes:
        identity: a name that a user gives to all runs of a thing that never runs twice at once.
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
        slots: holders in total that this one tolerates.
        token: the fencing token; rises with every grant of this lock, for ever.
        asked_at: when the holder first asked.
        granted_at: when the claim was written.
        expires_at: from when on a rival may take over.
        ttl: seconds from a write to `expires_at`.
        beat: number of the write that stamped `expires_at`; tells attempts apart.
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
        note: why, for people.
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
    """Nobody new may enter; holders go on.

    Attributes:
        until: when it ends by itself, or None.
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
        fence: the last token granted.
        freed_at: when room last appeared; 0 in a fresh record.
        sequences: line -> last sequence number granted in it.
        history: the last ends, oldest first.
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
        """Return the end of this lease id, or None if it is not among the last ends."""
        return next((e for e in reversed(self.history) if e.lease == lease), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """One waiter's place in the queue, as last read from its object.

    Attributes:
        lease: the waiter's lease id; names the object.
        arrival: server time by which the place counts.
        arrival_text: the same as the server wrote it (RFC 3339); carried along verbatim.
        born: server time of the first version of the object: the arrival, unless an older waiter's
            place was taken over.
        born_text: the same as the server wrote it.
        refreshed_at: server time of the version read.
        generation: of the version read.
        priority: 0 to 9, higher first.
        superseded_by: lease id of a newer waiter of the same line, or "".
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
