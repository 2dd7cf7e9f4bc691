"""What must come of each write of the lock whose answer is unusable: the table, as data.

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

Operation = Literal["claim", "beat", "release", "take-over", "ticket"]
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

# Every way in which a fault is brought about. One that leaves it open whether the write took
# effect is brought about with and without the effect.
WAYS: Final[dict[FaultName, dict[str, Fault]]] = {
    "dropped before": {"never arrives": DROPPED},
    "applied and answer lost": {"no answer": ANSWER_LOST},
    "applied late": {
        "before the next look": Fault(arrives="late", answer="none", overtakes="GET"),
        "between look and write": Fault(arrives="late", answer="none", overtakes="POST"),
        "after the end": Fault(arrives="late", answer="none"),
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
    """What one way must come to.

    Attributes:
        counts: the attempt that is in force in the end: 1 met the fault, 2 is the next. Of a
            ticket: the attempt whose time of arrival it keeps.
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
        outcome: what must come of it, for people.
        effects: the same as numbers, one for each of the fault's `WAYS`, in their order.
    """

    outcome: str
    effects: tuple[Effect, ...]


REPEATED: Final = Effect(counts=2)
LANDED: Final = Effect(counts=1)
# It arrived under the feet of the next attempt, which was refused.
OVERTOOK: Final = Effect(counts=1, refused=1)
# It arrived when the next attempt had been carried out.
REFUSED_LATE: Final = Effect(counts=2, refused=1)
# A ticket found by listing is written once more: its age is not known, its arrival is.
TICKET_LANDED: Final = Effect(counts=1, applied=2)
TICKET_OVERTOOK: Final = Effect(counts=1, applied=2, refused=1)

TABLE: Final[dict[tuple[Operation, FaultName], Cell]] = {
    ("claim", "dropped before"): Cell(
        "The record is read again and does not show us; a new claim with a new beat number is "
        "written. One grant, one token.",
        (REPEATED,),
    ),
    ("claim", "applied and answer lost"): Cell(
        "The record shows our lease: we are in, by the write whose answer was lost. Nothing is "
        "written again; the token rose once; the deadline counts from that write's send.",
        (LANDED,),
    ),
    ("claim", "applied late"): Cell(
        "Before we look again: we are in by it. Between our look and our next claim: that one is "
        "refused, the record is read once more, and we are in by the late one. After our next "
        "claim: its generation is stale, it is refused. One grant, one token each time.",
        (LANDED, OVERTOOK, REFUSED_LATE),
    ),
    ("claim", "503"): Cell(
        "No conclusion: the record tells whether we are in. If not, a new claim is written; if "
        "so, none is.",
        (REPEATED, LANDED),
    ),
    ("claim", "429"): Cell(
        "After a pause the record is read, and a new claim is written. One grant, one token.",
        (REPEATED,),
    ),
    ("claim", "408"): Cell(
        "As 503: the record tells whether we are in; one grant, one token either way.",
        (REPEATED, LANDED),
    ),
    ("claim", "reset"): Cell(
        "A reset does not tell whether the claim was carried out; the record does. One grant, one "
        "token either way.",
        (REPEATED, LANDED),
    ),
    ("claim", "time-out"): Cell(
        "An answer that comes, or ends, too late is none: the record shows our lease, and we are "
        "in without a second claim.",
        (LANDED, LANDED),
    ),
    ("claim", "half a body"): Cell(
        "Half an answer is none, its 200 notwithstanding: the record shows our lease, and we are "
        "in without a second claim.",
        (LANDED,),
    ),
    ("beat", "dropped before"): Cell(
        "The lease stays ours. The record still shows the beat before; a new stamp with a new "
        "beat number is written, and the deadline counts from its send.",
        (REPEATED,),
    ),
    ("beat", "applied and answer lost"): Cell(
        "The lease stays ours. The record shows the beat that was lost sight of: it counts, from "
        "its own send and no later; nothing is written again.",
        (LANDED,),
    ),
    ("beat", "applied late"): Cell(
        "Before we look again: it counts, from its own send. Between our look and our next beat: "
        "that one is refused, which is no loss; the record is read, and the late one counts. "
        "After our next beat: refused; it brings no old stamp back.",
        (LANDED, OVERTOOK, REFUSED_LATE),
    ),
    ("beat", "503"): Cell(
        "No loss. The record tells which beat it shows; the lease stays ours with its token.",
        (REPEATED, LANDED),
    ),
    ("beat", "429"): Cell(
        "No loss. After a pause the record is read, and a new stamp is written.",
        (REPEATED,),
    ),
    ("beat", "408"): Cell(
        "No loss. As 503: the record tells which beat it shows.",
        (REPEATED, LANDED),
    ),
    ("beat", "reset"): Cell(
        "No loss. Whether the beat was carried out is read in the record; the deadline counts "
        "from the send of the beat that it shows.",
        (REPEATED, LANDED),
    ),
    ("beat", "time-out"): Cell(
        "No loss. The record shows the beat; its deadline counts from its send, not from when it "
        "was found.",
        (LANDED, LANDED),
    ),
    ("beat", "half a body"): Cell(
        "No loss, and no success by its 200 alone: the record shows the beat, and it counts from "
        "its send.",
        (LANDED,),
    ),
    ("release", "dropped before"): Cell(
        "The record still shows us; the release is made anew from it. The lease ends once.",
        (REPEATED,),
    ),
    ("release", "applied and answer lost"): Cell(
        "The history shows our release: done, and nothing is written again.",
        (LANDED,),
    ),
    ("release", "applied late"): Cell(
        "Before we look again: the history shows it, done. Between our look and our next write: "
        "that one is refused, and the history shows the late one. After our next write: refused. "
        "The lease ends once, and nobody else's does.",
        (LANDED, OVERTOOK, REFUSED_LATE),
    ),
    ("release", "503"): Cell(
        "Record and history tell whether the lease has ended; it ends once.",
        (REPEATED, LANDED),
    ),
    ("release", "429"): Cell(
        "After a pause the record is read, and the release is written. The lease ends once.",
        (REPEATED,),
    ),
    ("release", "408"): Cell(
        "As 503: record and history tell; the lease ends once.",
        (REPEATED, LANDED),
    ),
    ("release", "reset"): Cell(
        "Record and history tell whether the release was carried out; the lease ends once.",
        (REPEATED, LANDED),
    ),
    ("release", "time-out"): Cell(
        "The history shows our release: done, however late the answer.",
        (LANDED, LANDED),
    ),
    ("release", "half a body"): Cell(
        "The history shows our release: done, and nothing is written again.",
        (LANDED,),
    ),
    ("take-over", "dropped before"): Cell(
        "The expired holder is still there; it is taken over by a new write. The history tells "
        "its expiry once, at the time at which its lease ended.",
        (REPEATED,),
    ),
    ("take-over", "applied and answer lost"): Cell(
        "The record shows us in the place of the expired holder: we are in. The token rose once, "
        "and the expiry is told once.",
        (LANDED,),
    ),
    ("take-over", "applied late"): Cell(
        "Before we look again: we are in by it. Between our look and our next write: that one is "
        "refused, and we are in by the late one. After our next write: refused. One holder, one "
        "token, one expiry each time.",
        (LANDED, OVERTOOK, REFUSED_LATE),
    ),
    ("take-over", "503"): Cell(
        "The record tells whether the expired holder is still there; it is replaced once.",
        (REPEATED, LANDED),
    ),
    ("take-over", "429"): Cell(
        "After a pause the record is read, and the expired holder is taken over; once.",
        (REPEATED,),
    ),
    ("take-over", "408"): Cell(
        "As 503: the record tells who is there; the expired holder is replaced once.",
        (REPEATED, LANDED),
    ),
    ("take-over", "reset"): Cell(
        "The record tells whether the take-over was carried out. One holder, one token, one "
        "expiry either way.",
        (REPEATED, LANDED),
    ),
    ("take-over", "time-out"): Cell(
        "The record shows us in the place of the expired holder, and we are in; we name the one "
        "that we took over from all the same.",
        (LANDED, LANDED),
    ),
    ("take-over", "half a body"): Cell(
        "The record shows us in the place of the expired holder: we are in without a second write.",
        (LANDED,),
    ),
    ("ticket", "dropped before"): Cell(
        "The queue is listed and does not show our ticket; it is written, and its arrival is the "
        "server's time of that write.",
        (REPEATED,),
    ),
    ("ticket", "applied and answer lost"): Cell(
        "The queue is listed and shows our ticket: it keeps its arrival, verbatim, when it is "
        "refreshed. One ticket, no place lost.",
        (TICKET_LANDED,),
    ),
    ("ticket", "applied late"): Cell(
        "Before we list again: found, and its arrival kept. Between the listing and our next "
        "write: that one is refused, the late one is found, and its arrival kept. After our next "
        "write: refused. One ticket each time.",
        (TICKET_LANDED, TICKET_OVERTOOK, REFUSED_LATE),
    ),
    ("ticket", "503"): Cell(
        "The listing tells whether there is a ticket of ours: if so it keeps its arrival, if not "
        "it is written. One ticket.",
        (REPEATED, TICKET_LANDED),
    ),
    ("ticket", "429"): Cell(
        "After a pause the queue is listed and the ticket written; the wait goes on.",
        (REPEATED,),
    ),
    ("ticket", "408"): Cell(
        "As 503: the listing tells; one ticket, with the arrival of its first version.",
        (REPEATED, TICKET_LANDED),
    ),
    ("ticket", "reset"): Cell(
        "The listing tells whether the ticket was written; one ticket, with the arrival of its "
        "first version.",
        (REPEATED, TICKET_LANDED),
    ),
    ("ticket", "time-out"): Cell(
        "The listing shows our ticket, and its arrival with it: the place that we did not know "
        "of is kept.",
        (TICKET_LANDED, TICKET_LANDED),
    ),
    ("ticket", "half a body"): Cell(
        "Half an answer tells no arrival that we trust; the listing does. One ticket, no place "
        "lost.",
        (TICKET_LANDED,),
    ),
}


def ambiguity_table() -> str:
    """Return the table as Markdown: one row a cell."""
    head = ("operation", "fault", "brought about", "what must come of it", "took effect, refused")
    rows = [
        (operation, fault, _brought_about(fault), cell.outcome, _counted(cell))
        for (operation, fault), cell in TABLE.items()
    ]
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _brought_about(fault: FaultName) -> str:
    return "; ".join(WAYS[fault])


def _counted(cell: Cell) -> str:
    return "; ".join(f"{effect.applied}, {effect.refused}" for effect in cell.effects)
