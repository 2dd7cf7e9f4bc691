"""Asking a CI system whether the job of a holder is over: in the background, and seldom."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from gcs_ci_lock.core.record import Owner
from gcs_ci_lock.ports import Clock

ASK_EVERY: Final = 60.0
# A record that a stranger wrote can name any number of owners.
MOST_KNOWN: Final = 100

Ask = Callable[[Owner], str]
Run = Callable[[Callable[[], None]], None]


class NoVerifier:
    """Asks nobody."""

    def proof(self, owner: Owner) -> str:  # noqa: ARG002 - as the port has it
        """Return "": nothing is known."""
        return ""


@dataclass(slots=True)
class _Question:
    asked_at: float
    proof: str = ""


class BackgroundVerifier:
    """Asks one question at a time, at most one a minute for each owner."""

    def __init__(self, ask: Ask, clock: Clock, *, run: Run | None = None) -> None:
        """Take who is asked; no request is made.

        Args:
            ask: returns a proof or ""; may take its time.
            clock: for the minute.
            run: lets something happen beside us; by default in a thread.
        """
        self._ask = ask
        self._clock = clock
        self._run = run or _in_a_thread
        self._known: dict[tuple[str, ...], _Question] = {}
        self._busy = False

    def proof(self, owner: Owner) -> str:
        """Return what is known by now, and ask again if it is time."""
        key = (owner.platform, owner.repository, owner.run_id, owner.attempt, owner.url)
        question = self._known.get(key)
        if question is not None and question.proof:
            return question.proof
        due = question is None or self._clock.boot() - question.asked_at >= ASK_EVERY
        if due and not self._busy and (question is not None or len(self._known) < MOST_KNOWN):
            question = self._known[key] = _Question(self._clock.boot())
            self._busy = True
            self._run(lambda: self._answer(owner, question))
            return question.proof
        return ""

    def _answer(self, owner: Owner, question: _Question) -> None:
        try:
            question.proof = self._ask(owner)
        except Exception:  # noqa: BLE001 - whatever it was, nothing is known
            question.proof = ""
        finally:
            self._busy = False


def first_proof(asked: Sequence[Ask]) -> Ask:
    """Return one who asks several; each answers for its own platform only."""

    def ask(owner: Owner) -> str:
        return next((proof for one in asked if (proof := one(owner))), "")

    return ask


def _in_a_thread(work: Callable[[], None]) -> None:
    threading.Thread(target=work, name="verify-holder", daemon=True).start()
