"""Find out in the background whether the jobs of holders are over."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from gcs_ci_lock.platforms import PLATFORMS
from gcs_ci_lock.ports import Ask, Clock, Verifier
from gcs_ci_lock.protocol.record import Owner
from gcs_ci_lock.protocol.text import MAX_FOREIGN

# A record can name any number of owners. The tokens of all GitHub jobs of a repository share a
# limit of 1000 requests per hour: 8 owners per minute are 480 for the first in the queue, and the
# same number for all others together.
MAX_OWNERS: Final = 8
# Seconds. A normal response takes less than one; a server that sends a byte now and then may take
# hours, and nothing can end a thread that reads.
ABANDON_AFTER: Final = 10.0
# Each has a thread, a connection and at most 1 MiB.
MAX_STRAGGLERS: Final = 8


class NoVerifier:
    """A `Verifier` that never asks."""

    def proof(self, owner: Owner, *, every: float) -> str:  # noqa: ARG002 - the port's signature
        """Return ""."""
        return ""


def in_background(question: Callable[[], None]) -> None:
    """Ask a question in a daemon thread."""
    threading.Thread(target=question, name="verify-holder", daemon=True).start()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    at: float
    proof: str = ""


class BackgroundVerifier:
    """A `Verifier` that asks one question at a time, in a thread, and remembers the proofs.

    It remembers the last 8 owners; others must wait. So it asks at most 8 questions per interval,
    whatever a record contains. Safe for several threads.

    It abandons a question after 10 s: that counts as unanswered, and the next question may be
    asked. Its thread runs until the server ends the response. While there are 8 such stragglers,
    nothing is asked. A late proof is stored if its owner is still remembered.

    Args:
        ask: asks about one owner.
        clock: measures the time between two questions, and how long one is unanswered.
        start: calls what it gets, now or later; raises RuntimeError if it cannot.
    """

    def __init__(
        self,
        ask: Ask,
        clock: Clock,
        *,
        start: Callable[[Callable[[], None]], object] = in_background,
    ) -> None:
        self._ask = ask
        self._clock = clock
        self._start = start
        self._guard = threading.Lock()
        # When each running question began, including the stragglers.
        self._running: list[float] = []
        # The last one asked comes last.
        self._asked: dict[tuple[str, ...], _Asked] = {}

    def proof(self, owner: Owner, *, every: float) -> str:
        """Return the known proof; otherwise return "", and perhaps ask in the background."""
        # The address of the page is needed: two servers can have the same repository and run.
        key = (owner.platform, owner.repository, owner.run_id, owner.attempt, owner.url)
        if any(len(part) > MAX_FOREIGN for part in key):
            # No real job has such an owner, and we would store it.
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
        if len(self._running) >= MAX_STRAGGLERS:
            return False
        if any(now - began < ABANDON_AFTER for began in self._running):
            return False
        if known is None and len(self._asked) >= MAX_OWNERS:
            known = next(iter(self._asked.values()))
        return known is None or now - known.at >= every

    def _note_question(self, key: tuple[str, ...], now: float) -> None:
        self._asked.pop(key, None)
        if len(self._asked) >= MAX_OWNERS:
            del self._asked[next(iter(self._asked))]
        self._asked[key] = _Asked(at=now)
        self._running.append(now)

    def _carry_out(self, owner: Owner, key: tuple[str, ...], began: float) -> None:
        proof = ""
        try:
            proof = self._ask(owner)
        except Exception:  # noqa: BLE001, S110 - no proof, whatever the error
            pass
        finally:
            self._note_answer(key, began, proof)

    def _note_answer(self, key: tuple[str, ...], began: float, proof: str) -> None:
        with self._guard:
            self._running.remove(began)
            if proof and key in self._asked:
                self._asked[key] = _Asked(at=self._asked[key].at, proof=proof)


def verifier_of(environ: Mapping[str, str], *, tokens: Mapping[str, str], clock: Clock) -> Verifier:
    """Return a verifier that asks each CI system about its own jobs.

    Args:
        environ: names their APIs and has tokens for them, as each `Platform.verifier` reads it.
        tokens: platform -> a token that takes precedence over those in `environ`; secret.
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
