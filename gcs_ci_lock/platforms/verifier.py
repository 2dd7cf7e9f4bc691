"""Asks in the background whether the jobs of holders are over."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from gcs_ci_lock.platforms import PLATFORMS
from gcs_ci_lock.ports import Ask, Clock, Verifier
from gcs_ci_lock.protocol.record import Owner
from gcs_ci_lock.protocol.text import MAX_FOREIGN

# A record can name any number of owners. The token of a GitHub job has 1000 questions an hour that
# it shares with the other jobs of its repository: 8 owners a minute are 480 for the first in line,
# and as many again for all behind it.
MOST_OWNERS: Final = 8
# Seconds. An honest answer takes less than one; a server that sends a byte now and then may take
# hours, and nothing ends a thread that reads.
ABANDON_AFTER: Final = 10.0
# Each holds a thread, a connection and 1 MiB at most.
MOST_STRAGGLERS: Final = 8


class NoVerifier:
    """Knows nothing: where nothing can be asked, or nothing should be."""

    def proof(self, owner: Owner, *, every: float) -> str:  # noqa: ARG002 - the port's signature
        """Return ""."""
        return ""


def in_background(question: Callable[[], None]) -> None:
    """Carry out a question in a thread of its own, which keeps no process alive."""
    threading.Thread(target=question, name="verify-holder", daemon=True).start()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    at: float
    proof: str = ""


class BackgroundVerifier:
    """Asks about one owner at a time, about each as seldom as the caller says; keeps the proofs.

    Remembers only the last 8 owners; the others have to wait. So it asks at most 8 questions in
    that time, whatever a record says. Safe for several threads.

    Abandons a question after 10 s: it counts as unanswered, and others may be asked. Its thread
    lives on until the server ends the answer. With 8 such stragglers nothing more is asked until
    one of them ends. A proof that arrives late is kept if its owner is still remembered: a job
    that is over stays over.
    """

    def __init__(
        self,
        ask: Ask,
        clock: Clock,
        *,
        start: Callable[[Callable[[], None]], object] = in_background,
    ) -> None:
        """Ask nothing yet.

        Args:
            ask: asks about one owner.
            clock: measures the time between two questions, and how long one is unanswered.
            start: carries out what it is given, now or later; raises RuntimeError if it cannot.
        """
        self._ask = ask
        self._clock = clock
        self._start = start
        self._guard = threading.Lock()
        # When each question began that has not ended, the stragglers included.
        self._running: list[float] = []
        # The last one asked stands last.
        self._asked: dict[tuple[str, ...], _Asked] = {}

    def proof(self, owner: Owner, *, every: float) -> str:
        """Return the proof that is known, or ""; then a question may be on its way afterwards."""
        # The page belongs to it: two servers can have the same repository and run.
        key = (owner.platform, owner.repository, owner.run_id, owner.attempt, owner.url)
        if any(len(part) > MAX_FOREIGN for part in key):
            # No job has written that, and it would be kept.
            return ""
        with self._guard:
            now = self._clock.boottime()
            known = self._asked.get(key)
            if known is not None and known.proof:
                return known.proof
            if not self._may_ask(known, now, every):
                return ""
            self._note_question(key, now)
        try:
            self._start(lambda: self._carry_out(owner, key, now))
        except RuntimeError:
            # No thread could be started.
            self._note_answer(key, now, "")
        return ""

    def _may_ask(self, known: _Asked | None, now: float, every: float) -> bool:
        if len(self._running) >= MOST_STRAGGLERS:
            return False
        if any(now - began < ABANDON_AFTER for began in self._running):
            return False
        if known is None and len(self._asked) >= MOST_OWNERS:
            known = next(iter(self._asked.values()))
        return known is None or now - known.at >= every

    def _note_question(self, key: tuple[str, ...], now: float) -> None:
        self._asked.pop(key, None)
        if len(self._asked) >= MOST_OWNERS:
            del self._asked[next(iter(self._asked))]
        self._asked[key] = _Asked(at=now)
        self._running.append(now)

    def _carry_out(self, owner: Owner, key: tuple[str, ...], began: float) -> None:
        proof = ""
        try:
            proof = self._ask(owner)
        except Exception:  # noqa: BLE001, S110 - whatever it was: nothing is known
            pass
        finally:
            self._note_answer(key, began, proof)

    def _note_answer(self, key: tuple[str, ...], began: float, proof: str) -> None:
        with self._guard:
            self._running.remove(began)
            if proof and key in self._asked:
                self._asked[key] = _Asked(at=self._asked[key].at, proof=proof)


def verifier_of(environ: Mapping[str, str], *, tokens: Mapping[str, str], clock: Clock) -> Verifier:
    """Return who can ask about the holders of a lock; each CI system is asked about its own.

    Args:
        environ: names their APIs and has tokens for them, as each `Platform.verifier` reads it.
        tokens: platform -> a token that counts before those in `environ`; secret.
        clock: measures the time between two questions.
    """
    asks = {
        platform.name: ask
        for platform in PLATFORMS
        if (ask := platform.verifier(environ, tokens.get(platform.name, ""))) is not None
    }
    if not asks:
        return NoVerifier()

    def ask_its_platform(owner: Owner) -> str:
        ask = asks.get(owner.platform)
        return ask(owner) if ask is not None else ""

    return BackgroundVerifier(ask_its_platform, clock)
