"""Acquiring a lock: look, queue, and claim when it is our turn.

Every step begins with a read of the record. Whatever an earlier write did, its effect is seen
there first, so that nothing is ever concluded from an answer that did not come.

In model/lock.pml: judge, renounce, exclusion.
"""

from dataclasses import dataclass, replace

from gcs_ci_lock.errors import Ambiguous, Changed
from gcs_ci_lock.locking.client import Lock
from gcs_ci_lock.locking.contender import Standing
from gcs_ci_lock.locking.dead_holders import Deaths
from gcs_ci_lock.locking.leaving import depart
from gcs_ci_lock.locking.outcome import Acquired, Overtaken, Stopped, TimedOut
from gcs_ci_lock.locking.pending_claim import Claims
from gcs_ci_lock.locking.record_store import Stored
from gcs_ci_lock.locking.request import LockRequest, Tenure
from gcs_ci_lock.locking.retry import Silence
from gcs_ci_lock.ports import Chance, Observer, Stop, Verifier
from gcs_ci_lock.protocol.admission import AlreadyIn, AlreadyOver, MayClaim, MustWait
from gcs_ci_lock.protocol.obsolete import Outdated, Superseded
from gcs_ci_lock.protocol.queue import Turn
from gcs_ci_lock.protocol.record import Record
from gcs_ci_lock.protocol.takeover import abandoned
from gcs_ci_lock.protocol.transitions import empty_record, settled
from gcs_ci_lock.protocol.wait_status import Situation

HEAD_POLL = 1.0
SLOWEST_POLL = 4.0
POLL_SPREAD = 0.2
# An expiry or the end of our patience is near: look this soon after it is certain.
SHORTEST_POLL = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class _NotYet:
    """One step has been taken; look again after `pause` seconds.

    Attributes:
        decided: the lock was seen, and was not to be had.
    """

    pause: float
    decided: bool


_AT_ONCE = _NotYet(pause=0.0, decided=False)


class Waiter:
    """One acquisition of one lock."""

    def __init__(
        self,
        lock: Lock,
        request: LockRequest,
        *,
        chance: Chance,
        stop: Stop,
        observer: Observer,
        verifier: Verifier,
    ) -> None:
        """Take what is needed; no request is made.

        Args:
            lock: the lock as this process sees it.
            request: what is asked for.
            chance: lease ids and jitter.
            stop: ends the wait.
            observer: is told of every step.
            verifier: is asked whether a holder that keeps us out is dead.
        """
        self._lock = lock
        self._request = request
        self._chance = chance
        self._stop = stop
        self._observer = observer
        self._deaths = Deaths(lock, request.owner, verifier)
        self._began = lock.clock.boot() - request.spent
        self._standing = Standing(lock, request, chance.lease_id())
        self._claims = Claims(lock)
        self._silence = Silence(lock.clock, chance, budget=max(request.wait - request.spent, 0.0))
        self._situation: Situation | None = None

    @property
    def leaves_something(self) -> bool:
        """Tell whether a claim or a ticket of ours may still be, or come to be, in the bucket."""
        return self._claims.may_land or self._standing.place.may_exist

    def run(self) -> Acquired | TimedOut | Overtaken | Stopped:
        """Wait for the lock, and take it.

        Raises:
            LockError: it cannot be waited for; nothing of us is left as far as can be told.
        """
        self._observer.asking(self._standing.claimant.lease)
        while not self._stop.is_set():
            try:
                step = self._step()
                self._silence.answered()
            except Ambiguous as trouble:
                pause = self._silence.pause(trouble, self._leave)
                self._tell_trouble(trouble)
                step = _NotYet(pause=pause, decided=False)
            except (Exception, KeyboardInterrupt):
                self._leave()
                raise
            if isinstance(step, Acquired):
                return self._entered(step)
            if isinstance(step, Overtaken):
                self._leave()
                return step
            remaining = self._request.wait - self._waited()
            if remaining <= 0 and step.decided and self._situation:
                self._leave()
                return TimedOut(situation=replace(self._situation, waited=self._waited()))
            self._stop.wait(min(step.pause, remaining) if remaining > 0 else step.pause)
        self._leave()
        return Stopped(waited=self._waited())

    def _step(self) -> Acquired | Overtaken | _NotYet:
        looked_at = self._lock.clock.boot()
        stored = self._lock.look()
        now = self._lock.now()
        record = settled(
            stored.record or empty_record(self._lock.paths.name, now.earliest), now.earliest
        )
        self._standing.asked(now)
        decision = self._standing.decide(record, now.earliest)
        match decision:
            case AlreadyIn():
                return self._judge(self._lock.landed(decision.holder), record)
            case AlreadyOver():
                self._go_on_under_a_new_lease()
                return _AT_ONCE
            case Outdated() | Superseded():
                self._claims.seen_outside(stored)
                return Overtaken(waited=self._waited(), why=decision)
            case MayClaim() | MustWait():
                self._claims.seen_outside(stored)
                return self._queue(decision, stored, record, looked_at=looked_at)

    def _queue(
        self, decision: MayClaim | MustWait, stored: Stored, record: Record, *, looked_at: float
    ) -> Acquired | _NotYet:
        """Enter if it is our turn, else keep our place."""
        turn = decision.turn
        if turn is None:
            return self._claim(stored, record)
        earliest = self._lock.now().earliest
        if self._standing.supersede(record, earliest) or self._deaths.make_room(record, turn):
            return _AT_ONCE
        may_claim = isinstance(decision, MayClaim)
        left = self._standing.patience_left(turn, record, may_claim=may_claim, looked_at=looked_at)
        if left <= 0:
            return self._claim(stored, record)
        return self._wait(record, turn, earliest, at_most=left)

    def _claim(self, stored: Stored, record: Record) -> Acquired | _NotYet:
        try:
            tenure = self._claims.write(self._standing.claimant, stored)
        except Changed:
            # From the first step again, listing included; our own write may have been the change.
            self._standing.look_again()
            return _AT_ONCE
        return self._judge(tenure, record)

    def _judge(self, tenure: Tenure, record: Record) -> Acquired | _NotYet:
        """Take a claim that is in the record, unless it came after its own give-up."""
        if not self._claims.believed(tenure):
            self._go_on_under_a_new_lease()
            return _AT_ONCE
        return Acquired(
            tenure=tenure,
            waited=self._waited(),
            record=record,
            took_over=abandoned(record, tenure.lease),
        )

    def _go_on_under_a_new_lease(self) -> None:
        lease = self._chance.lease_id()
        self._observer.asking(lease)
        self._claims.gone()
        self._standing.go_on_as(lease)

    def _wait(self, record: Record, turn: Turn, earliest: float, *, at_most: float) -> _NotYet:
        trouble = self._standing.keep()
        self._situation = Situation(
            name=self._lock.paths.name,
            uri=self._lock.paths.uri,
            record=record,
            turn=turn,
            waiters=self._standing.waiters(record, earliest),
            earliest=earliest,
            waited=self._waited(),
            budget=self._request.wait,
            slots=self._request.slots,
            ttl=self._request.timing.ttl,
            beside=self._request.beside,
            trouble=trouble,
        )
        self._observer.waiting(self._situation)
        spread = 1 + POLL_SPREAD * (2 * self._chance.fraction() - 1)
        poll = min(HEAD_POLL + len(turn.ahead), SLOWEST_POLL) * spread
        ends = [holder.expires_at for holder in record.holders]
        if record.frozen is not None and record.frozen.until is not None:
            ends.append(record.frozen.until)
        known = [end - earliest + SHORTEST_POLL for end in ends]
        pause = max(min([poll, at_most, *known]), SHORTEST_POLL)
        return _NotYet(pause=pause, decided=True)

    def _entered(self, acquired: Acquired) -> Acquired | Stopped:
        """Look at the stop flag again, then take the tickets away that are served."""
        if self._stop.is_set():
            # A claim that nobody wants any more.
            self._claims.unwanted()
            self._leave()
            return Stopped(waited=self._waited())
        tenure = acquired.tenure
        self._standing.served(sent_at=tenure.sent_at, beat=tenure.timing.beat)
        return acquired

    def _tell_trouble(self, trouble: Ambiguous) -> None:
        if self._situation is not None:
            self._situation = replace(self._situation, waited=self._waited(), trouble=str(trouble))
            self._observer.waiting(self._situation)

    def _leave(self) -> None:
        stray, place = self._claims.may_land, self._standing.place
        if depart(self._lock, place, stray=stray, chance=self._chance):
            self._claims.gone()

    def _waited(self) -> float:
        return self._lock.clock.boot() - self._began
