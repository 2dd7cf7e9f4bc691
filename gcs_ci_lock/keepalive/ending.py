"""How the lease of a job ended, from what its keeper said and what the record says.

A loss that was known when the lease was released is noted in the history, so that whoever asks
again is told the same.
"""

from dataclasses import dataclass
from typing import Final

from gcs_ci_lock.keepalive.lease_ref import Handover
from gcs_ci_lock.keepalive.sidecar.messages import News
from gcs_ci_lock.locking.lease import Lost, taken_away
from gcs_ci_lock.protocol.record import Ended
from gcs_ci_lock.protocol.transitions import NotHeld

_LOST: Final = "lost: "


@dataclass(frozen=True, slots=True, kw_only=True)
class Stranger:
    """The record knows nothing of the lease: somebody has deleted or replaced it."""

    lost: Lost


def loss_known(handover: Handover, news: News | None, *, gone: bool) -> Lost | None:
    """Return the loss that is known before the record is asked, or None.

    Args:
        handover: the lease.
        news: the last that its keeper said, or None.
        gone: whether there should be a keeper, and is none.
    """
    if news is not None and news.phase == "lost":
        return Lost(reason=news.reason)
    if gone:
        return Lost(reason=f"token {handover.token}: its keeper is gone, and nobody renewed it")
    return None


def note_of(known: Lost | None) -> str:
    """Return the note with which a lease is released whose loss is known."""
    return f"{_LOST}{known.reason}" if known else ""


def verdict(
    handover: Handover, known: Lost | None, result: Ended | NotHeld
) -> Lost | Stranger | None:
    """Return how the lease was lost; None: it was not, and is released.

    Args:
        handover: the lease.
        known: what `loss_known` returned.
        result: the lease's own release, by this or an earlier call, or that it is not held.
    """
    if isinstance(result, Ended):
        if result.note.startswith(_LOST):
            return Lost(reason=result.note.removeprefix(_LOST))
        # The job itself notes nothing; its keeper says why it went before it was asked to.
        return Lost(reason=f"token {handover.token}: {result.note}") if result.note else None
    if not handover.token:
        return None
    taken = taken_away(handover.token, result)
    if result.ended is not None:
        return taken
    return known or Stranger(lost=taken)
