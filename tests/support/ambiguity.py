"""The required outcome of each write of the lock whose response is unusable: the table, as data.

`tests/medium/test_ambiguity.py` holds the shipped code to every cell, over HTTP.
"""

from dataclasses import dataclass
from typing import Final, Literal, get_args

from tests.support.fault_proxy import (
    ANSWER_LOST,
    ANSWERED_TOO_LATE,
    DROPPED,
    HALF_A_BODY,
    RESET_AFTER,
    RESET_BEFORE,
    STALLED,
    Fault,
)

Operation = Literal["claim", "renewal", "release", "take-over", "ticket"]
FaultName = Literal[
    "dropped before",
    "applied and answer lost",
    "applied late",
    "503",
    "429",
    "408",
    "reset",
    "time-out",
    "half a body",
]
OPERATIONS: Final[tuple[Operation, ...]] = get_args(Operation)
FAULTS: Final[tuple[FaultName, ...]] = get_args(FaultName)

# Every variant of a fault. A fault that leaves it open whether the write was applied has one
# variant with the effect and one without.
WAYS: Final[dict[FaultName, dict[str, Fault]]] = {
    "dropped before": {"never arrives": DROPPED},
    "applied and answer lost": {"no answer": ANSWER_LOST},
    "applied late": {
        "before the next read": Fault(arrives="late", answer="none", overtakes="GET"),
        "between read and write": Fault(arrives="late", answer="none", overtakes="POST"),
        "after the next write": Fault(arrives="late", answer="none"),
    },
    "503": {
        "not applied": Fault(arrives="never", answer=503),
        "applied": Fault(arrives="at once", answer=503),
    },
    # A rate limit refuses before anything is done.
    "429": {"not applied": Fault(arrives="never", answer=429)},
    "408": {
        "not applied": Fault(arrives="never", answer=408),
        "applied": Fault(arrives="at once", answer=408),
    },
    "reset": {"not applied": RESET_BEFORE, "applied": RESET_AFTER},
    "time-out": {"answered too late": ANSWERED_TOO_LATE, "stalled in the answer": STALLED},
    "half a body": {"cut in the answer": HALF_A_BODY},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """The required effect of one variant.

    Attributes:
        counts: the attempt that counts in the end: 1 met the fault, 2 is the next. For a
            ticket: the attempt whose arrival it keeps.
        applied: writes of this operation that took effect.
        refused: writes that the server refused because their generation was stale (412).
    """

    counts: Literal[1, 2]
    applied: int = 1
    refused: int = 0


@dataclass(frozen=True, slots=True)
class Cell:
    """One operation that meets one fault.

    Attributes:
        outcome: what must happen, for people.
        effects: the same as numbers, one for each of the fault's `WAYS`, in their order.
    """

    outcome: str
    effects: tuple[Effect, ...]


REPEATED: Final = Effect(counts=2)
LANDED: Final = Effect(counts=1)
# It arrived before the next attempt, which was refused.
OVERTOOK: Final = Effect(counts=1, refused=1)
# It arrived when the next attempt had been carried out.
REFUSED_LATE: Final = Effect(counts=2, refused=1)
# A ticket found by listing is written once more: its age is not known, its arrival is.
TICKET_LANDED: Final = Effect(counts=1, applied=2)
TICKET_OVERTOOK: Final = Effect(counts=1, applied=2, refused=1)

TABLE: Final[dict[tuple[Operation, FaultName], Cell]] = {
    ("claim", "dropped before"): Cell(
        "The record is read again and does not show our lease. A new claim with a new revision is "
        "written. One grant, one token.",
        (REPEATED,),
    ),
    ("claim", "applied and answer lost"): Cell(
        "The record shows our lease: we hold the lock by the write whose response was lost. "
        "Nothing is written again, the token rose once, and the deadline counts from the send of "
        "that write.",
        (LANDED,),
    ),
    ("claim", "applied late"): Cell(
        "Arrives before the next read: we hold the lock by it. Arrives between the read and the "
        "next claim: that claim is refused, the record is read again, and we hold the lock by the "
        "late one. Arrives after the next claim: refused, its generation is stale. One grant, one "
        "token each time.",
        (LANDED, OVERTOOK, REFUSED_LATE),
    ),
    ("claim", "503"): Cell(
        "No conclusion: the record shows whether we hold the lock. If not, a new claim is "
        "written; if so, none is.",
        (REPEATED, LANDED),
    ),
    ("claim", "429"): Cell(
        "After a pause the record is read and a new claim is written. One grant, one token.",
        (REPEATED,),
    ),
    ("claim", "408"): Cell(
        "As 503: the record shows whether we hold the lock. One grant, one token either way.",
        (REPEATED, LANDED),
    ),
    ("claim", "reset"): Cell(
        "A reset does not show whether the claim was applied; the record does. One grant, one "
        "token either way.",
        (REPEATED, LANDED),
    ),
    ("claim", "time-out"): Cell(
        "A response that arrives or ends too late counts as none. The record shows our lease: we "
        "hold the lock without a second claim.",
        (LANDED, LANDED),
    ),
    ("claim", "half a body"): Cell(
        "Half a response counts as none, even with status 200. The record shows our lease: we "
        "hold the lock without a second claim.",
        (LANDED,),
    ),
    ("renewal", "dropped before"): Cell(
        "The lease stays ours. The record still shows the revision before. A new stamp with a new "
        "revision is written, and the deadline counts from its send.",
        (REPEATED,),
    ),
    ("renewal", "applied and answer lost"): Cell(
        "The lease stays ours. The record shows the renewal whose response was lost: it counts "
        "from its own send and no later. Nothing is written again.",
        (LANDED,),
    ),
    ("renewal", "applied late"): Cell(
        "Arrives before the next read: it counts, from its own send. Arrives between the read and "
        "the next renewal: that renewal is refused, which is no loss; the record is read, and the "
        "late one counts. Arrives after the next renewal: refused; no old stamp comes back.",
        (LANDED, OVERTOOK, REFUSED_LATE),
    ),
    ("renewal", "503"): Cell(
        "No loss. The record shows which renewal was applied; the lease stays ours with its token.",
        (REPEATED, LANDED),
    ),
    ("renewal", "429"): Cell(
        "No loss. After a pause the record is read and a new stamp is written.",
        (REPEATED,),
    ),
    ("renewal", "408"): Cell(
        "No loss. As 503: the record shows which renewal was applied.",
        (REPEATED, LANDED),
    ),
    ("renewal", "reset"): Cell(
        "No loss. The record shows whether the renewal was applied; the deadline counts from the "
        "send of the renewal that it shows.",
        (REPEATED, LANDED),
    ),
    ("renewal", "time-out"): Cell(
        "No loss. The record shows the renewal; its deadline counts from its send, not from when "
        "it was found.",
        (LANDED, LANDED),
    ),
    ("renewal", "half a body"): Cell(
        "No loss, and no success by status 200 alone: the record shows the renewal, and it counts "
        "from its send.",
        (LANDED,),
    ),
    ("release", "dropped before"): Cell(
        "The record still shows our lease: the release is written again from it. The lease ends "
        "once.",
        (REPEATED,),
    ),
    ("release", "applied and answer lost"): Cell(
        "The history shows our release: done, and nothing is written again.",
        (LANDED,),
    ),
    ("release", "applied late"): Cell(
        "Arrives before the next read: the history shows it, done. Arrives between the read and "
        "the next write: that write is refused, and the history shows the late one. Arrives after "
        "the next write: refused. The lease ends once, and no other lease ends.",
        (LANDED, OVERTOOK, REFUSED_LATE),
    ),
    ("release", "503"): Cell(
        "Record and history show whether the lease has ended; it ends once.",
        (REPEATED, LANDED),
    ),
    ("release", "429"): Cell(
        "After a pause the record is read and the release is written. The lease ends once.",
        (REPEATED,),
    ),
    ("release", "408"): Cell(
        "As 503: record and history show whether the lease has ended; it ends once.",
        (REPEATED, LANDED),
    ),
    ("release", "reset"): Cell(
        "Record and history show whether the release was applied; the lease ends once.",
        (REPEATED, LANDED),
    ),
    ("release", "time-out"): Cell(
        "The history shows our release: done, however late the response.",
        (LANDED, LANDED),
    ),
    ("release", "half a body"): Cell(
        "The history shows our release: done, and nothing is written again.",
        (LANDED,),
    ),
    ("take-over", "dropped before"): Cell(
        "The expired holder is still in the record; a new write takes over from it. The history "
        "shows its expiry once, at the time at which its lease ended.",
        (REPEATED,),
    ),
    ("take-over", "applied and answer lost"): Cell(
        "The record shows us instead of the expired holder: we hold the lock. The token rose "
        "once, and the history shows the expiry once.",
        (LANDED,),
    ),
    ("take-over", "applied late"): Cell(
        "Arrives before the next read: we hold the lock by it. Arrives between the read and the "
        "next write: that write is refused, and we hold the lock by the late one. Arrives after "
        "the next write: refused. One holder, one token, one expiry each time.",
        (LANDED, OVERTOOK, REFUSED_LATE),
    ),
    ("take-over", "503"): Cell(
        "The record shows whether the expired holder is still there; it is replaced once.",
        (REPEATED, LANDED),
    ),
    ("take-over", "429"): Cell(
        "After a pause the record is read and the expired holder is replaced, once.",
        (REPEATED,),
    ),
    ("take-over", "408"): Cell(
        "As 503: the record shows who holds the lock; the expired holder is replaced once.",
        (REPEATED, LANDED),
    ),
    ("take-over", "reset"): Cell(
        "The record shows whether the take-over was applied. One holder, one token, one expiry "
        "either way.",
        (REPEATED, LANDED),
    ),
    ("take-over", "time-out"): Cell(
        "The record shows us instead of the expired holder: we hold the lock, and still name the "
        "holder that we took over from.",
        (LANDED, LANDED),
    ),
    ("take-over", "half a body"): Cell(
        "The record shows us instead of the expired holder: we hold the lock without a second "
        "write.",
        (LANDED,),
    ),
    ("ticket", "dropped before"): Cell(
        "The queue is listed and does not show our ticket. It is written; its arrival is the "
        "server's time of that write.",
        (REPEATED,),
    ),
    ("ticket", "applied and answer lost"): Cell(
        "The queue is listed and shows our ticket: it keeps its arrival, verbatim, when it is "
        "refreshed. One ticket, no position lost.",
        (TICKET_LANDED,),
    ),
    ("ticket", "applied late"): Cell(
        "Arrives before the next listing: found, and its arrival is kept. Arrives between the "
        "listing and the next write: that write is refused, the late ticket is found, and its "
        "arrival is kept. Arrives after the next write: refused. One ticket each time.",
        (TICKET_LANDED, TICKET_OVERTOOK, REFUSED_LATE),
    ),
    ("ticket", "503"): Cell(
        "The listing shows whether our ticket exists. If so, it keeps its arrival; if not, it is "
        "written. One ticket.",
        (REPEATED, TICKET_LANDED),
    ),
    ("ticket", "429"): Cell(
        "After a pause the queue is listed and the ticket is written; the wait goes on.",
        (REPEATED,),
    ),
    ("ticket", "408"): Cell(
        "As 503: the listing shows it. One ticket, with the arrival of its first version.",
        (REPEATED, TICKET_LANDED),
    ),
    ("ticket", "reset"): Cell(
        "The listing shows whether the ticket was written. One ticket, with the arrival of its "
        "first version.",
        (REPEATED, TICKET_LANDED),
    ),
    ("ticket", "time-out"): Cell(
        "The listing shows our ticket and its arrival: the position that we did not know of is "
        "kept.",
        (TICKET_LANDED, TICKET_LANDED),
    ),
    ("ticket", "half a body"): Cell(
        "Half a response gives no arrival that can be trusted; the listing does. One ticket, no "
        "position lost.",
        (TICKET_LANDED,),
    ),
}


def ambiguity_table() -> str:
    """Return the table as Markdown: one row per cell."""
    head = ("operation", "fault", "variants", "required outcome", "applied, refused")
    rows = [
        (operation, fault, _variants(fault), cell.outcome, _counted(cell))
        for (operation, fault), cell in TABLE.items()
    ]
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _variants(fault: FaultName) -> str:
    return "; ".join(WAYS[fault])


def _counted(cell: Cell) -> str:
    return "; ".join(f"{effect.applied}, {effect.refused}" for effect in cell.effects)
