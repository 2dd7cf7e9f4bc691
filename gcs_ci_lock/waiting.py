"""Acquiring a lock: look, queue, and claim when it is our turn.

Every step begins with a read of the record. Whatever an earlier write did, its effect is seen
there first, so that nothing is ever concluded from an answer that did not come.

In model/lock.pml: judge, seen_outside, renounce, exclusion.
"""

import math
from dataclasses import dataclass, replace
from typing import assert_never

from gcs_ci_lock.core.outcome import Acquired, Stopped, TimedOut
from gcs_ci_lock.core.protocol import (
    AlreadyIn,
    AlreadyOver,
    MayClaim,
    MustWait,
    QueueNeeded,
    consider,
    empty_record,
    settled,
)
from gcs_ci_lock.core.queue import Claimant, Turn, living
from gcs_ci_lock.core.record import Holder, Record
from gcs_ci_lock.core.request import LockRequest, Tenure
from gcs_ci_lock.core.situation import Situation
from gcs_ci_lock.core.timing import backoff
from gcs_ci_lock.errors import Ambiguous, Changed, LockError, StorageUnreachable, StoreError
from gcs_ci_lock.leaving import CLEAN_UP, depart, sweep
from gcs_ci_lock.lineup import Lineup
from gcs_ci_lock.lock import Lock, Stored
from gcs_ci_lock.place import Place
from gcs_ci_lock.ports import Chance, Observer, Stop

HEAD_POLL = 1.0
SLOWEST_POLL = 4.0
POLL_SPREAD = 0.2
# An expiry or the end of our patience is near: look this soon after it is certain.
SHORTEST_POLL = 0.05
# A server that has not answered once for so long is a wrong address rather than a hiccup.
LEAST_PATIENCE = 10.0
MOST_PATIENCE = 60.0


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
        self, lock: Lock, request: LockRequest, *, chance: Chance, stop: Stop, observer: Observer
    ) -> None:
        """Take what is needed; no request is made.

        Args:
            lock: the lock as this process sees it.
            request: what is asked for.
            chance: lease ids and jitter.
            stop: ends the wait.
            observer: is told of every step.
        """
        self._lock = lock
        self._request = request
        self._chance = chance
        self._stop = stop
        self._observer = observer
        self._began = lock.clock.boot()
        self._answered_at: float | None = None
        self._lineup = Lineup(lock.tickets)
        self._place = Place(
            lock,
            Claimant(
                lease=chance.lease_id(),
                owner=request.owner,
                slots=request.slots,
                ttl=request.timing.ttl,
                asked_at=math.nan,
                priority=request.priority,
            ),
        )
        # The generation that a claim named whose effect has not been seen yet.
        self._stray: int | None = None
        self._expired: tuple[Holder, ...] = ()
        self._situation: Situation | None = None

    @property
    def leaves_something(self) -> bool:
        """Tell whether a claim or a ticket of ours may still be, or come to be, in the bucket."""
        return self._stray is not None or self._place.may_exist

    def run(self) -> Acquired | TimedOut | Stopped:
        """Wait for the lock, and take it.

        Raises:
            LockError: it cannot be waited for; nothing of us is left as far as can be told.
        """
        failures = 0
        self._observer.asking(self._place.claimant.lease)
        while not self._stop.is_set():
            try:
                step = self._step()
                failures = 0
                # A whole step: a server that only answers reads is as good as silent.
                self._answered_at = self._lock.clock.boot()
            except Ambiguous as trouble:
                left = self._patience_left(trouble, failures)
                pause = min(backoff(failures, self._chance.fraction()), left)
                step = _NotYet(pause=pause, decided=False)
                failures += 1
            except (Exception, KeyboardInterrupt):
                self._leave()
                raise
            if isinstance(step, Acquired):
                return self._entered(step)
            remaining = self._request.wait - self._waited()
            if remaining <= 0 and step.decided and self._situation:
                self._leave()
                return TimedOut(situation=replace(self._situation, waited=self._waited()))
            self._stop.wait(min(step.pause, remaining) if remaining > 0 else step.pause)
        self._leave()
        return Stopped(waited=self._waited())

    def _step(self) -> Acquired | _NotYet:
        looked_at = self._lock.clock.boot()
        stored = self._lock.look()
        earliest = self._lock.now().earliest
        record = settled(stored.record or empty_record(self._lock.paths.name, earliest), earliest)
        decision = self._consider(record, earliest)
        match decision:
            case AlreadyIn():
                return self._found_inside(decision.holder, record)
            case AlreadyOver():
                self._go_on_under_a_new_lease()
                return _AT_ONCE
            case _:
                self._seen_outside(stored)
        if isinstance(decision, MayClaim):
            if decision.turn is None:
                return self._claim(stored, record)
            boot = self._lock.clock.boot()
            left = self._lineup.patience_left(decision.turn, record, looked_at=looked_at, boot=boot)
            if left <= 0:
                return self._claim(stored, record)
            return self._wait(record, decision.turn, earliest, at_most=left)
        if isinstance(decision, MustWait):
            self._lineup.patience_left(decision.turn, record, looked_at=looked_at, boot=looked_at)
            return self._wait(record, decision.turn, earliest, at_most=math.inf)
        assert_never(decision)

    def _consider(
        self, record: Record, earliest: float
    ) -> AlreadyIn | AlreadyOver | MayClaim | MustWait:
        """Decide by the tickets known, and again by a new listing where those will not do."""
        if math.isnan(self._place.claimant.asked_at):
            self._place.claimant = replace(self._place.claimant, asked_at=earliest)
        claimant = self._place.claimant
        tickets = self._lineup.tickets
        decision = consider(record, claimant, tickets=tickets, earliest=earliest)
        if isinstance(decision, AlreadyIn | AlreadyOver):
            return decision
        boot = self._lock.clock.boot()
        if self._place.needs_listing or self._lineup.is_stale(record, decision, boot):
            tickets = self._lineup.refresh(record, boot)
            self._place.found(tickets)
            claimant = self._place.claimant
            decision = consider(record, claimant, tickets=tickets, earliest=earliest)
        if isinstance(decision, QueueNeeded):
            message = "the queue was listed and is still needed"
            raise AssertionError(message)  # noqa: TRY004 - no caller can bring this about
        return decision

    def _claim(self, stored: Stored, record: Record) -> Acquired | _NotYet:
        certain, self._stray = self._stray, stored.generation
        before = stored.record.holders if stored.record else ()
        self._expired = tuple(h for h in before if record.holder(h.lease) is None)
        try:
            tenure = self._lock.claim(self._place.claimant)
        except Changed:
            # From the first step again, listing included; our own write may have been the change.
            self._lineup.forget()
            return _AT_ONCE
        except Ambiguous:
            raise
        except LockError:
            # A refusal is an answer: this claim will never land.
            self._stray = certain
            raise
        return self._judge(tenure, record)

    def _found_inside(self, holder: Holder, record: Record) -> Acquired | _NotYet:
        return self._judge(self._lock.landed(holder), record)

    def _judge(self, tenure: Tenure, record: Record) -> Acquired | _NotYet:
        """Take a claim that is in the record, unless it came after its own give-up."""
        if tenure.believed(self._lock.clock.boot(), self._lock.now().latest):
            self._stray = None
            return Acquired(
                tenure=tenure,
                waited=self._waited(),
                record=record,
                expired=self._expired,
            )
        # It was never ours: nobody has believed in it.
        self._lock.release(tenure.lease)
        self._go_on_under_a_new_lease()
        return _AT_ONCE

    def _seen_outside(self, stored: Stored) -> None:
        # A generation does not come back, except that of "no object": the stray write is dead.
        if self._stray is not None and self._stray != stored.generation:
            self._stray = None

    def _go_on_under_a_new_lease(self) -> None:
        """Keep the arrival; the old lease id has been served and must never be claimed again."""
        old = self._place
        lease = self._chance.lease_id()
        self._observer.asking(lease)
        self._place = old.renamed(lease)
        self._stray = None
        self._lineup.forget()
        try:
            old.leave()
        except StoreError:
            # It dies by itself, and does not count: its lease is in the history.
            return

    def _wait(self, record: Record, turn: Turn, earliest: float, *, at_most: float) -> _NotYet:
        trouble = self._keep_place()
        self._situation = replace(self._look_of(record, turn, earliest), trouble=trouble)
        self._observer.waiting(self._situation)
        spread = 1 + POLL_SPREAD * (2 * self._chance.fraction() - 1)
        poll = min(HEAD_POLL + len(turn.ahead), SLOWEST_POLL) * spread
        expiries = [h.expires_at - earliest + SHORTEST_POLL for h in record.holders]
        pause = max(min([poll, at_most, *expiries]), SHORTEST_POLL)
        return _NotYet(pause=pause, decided=True)

    def _keep_place(self) -> str:
        """Write or refresh the ticket; return why it could not be, or ""."""
        try:
            if self._request.wait > 0:
                self._place.keep()
        except Ambiguous as trouble:
            # It costs the place, no more.
            return str(trouble)
        return ""

    def _look_of(self, record: Record, turn: Turn, earliest: float) -> Situation:
        counted = living(self._lineup.tickets or (), record, earliest)
        others = [t for t in counted if t.lease != self._place.claimant.lease]
        return Situation(
            name=self._lock.paths.name,
            uri=self._lock.paths.uri,
            record=record,
            turn=turn,
            waiters=len(others) + 1,
            earliest=earliest,
            waited=self._waited(),
            budget=self._request.wait,
            slots=self._request.slots,
        )

    def _entered(self, acquired: Acquired) -> Acquired | Stopped:
        """Look at the stop flag again, then take the tickets away that are served."""
        if self._stop.is_set():
            # A claim that nobody wants any more.
            self._stray = 0
            self._leave()
            return Stopped(waited=self._waited())
        tenure = acquired.tenure
        # Deleting never delays a beat.
        until = tenure.sent_at + min(tenure.timing.beat or CLEAN_UP, CLEAN_UP) / 2
        try:
            self._place.leave()
            dead = self._lineup.dead_before(self._place.claimant.arrival, self._lock.now().earliest)
            sweep(self._lock, dead, until=until)
        except LockError:
            # They die by themselves; our own does not count, for we are among the holders.
            return acquired
        return acquired

    def _patience_left(self, trouble: Ambiguous, failures: int) -> float:
        """Return the seconds for which the server may stay silent before we give up.

        Args:
            trouble: what happened just now.
            failures: steps before it that had no answer either.

        Raises:
            StorageUnreachable: it has been silent for too long.
        """
        if self._answered_at is None:
            patience = min(max(self._request.wait, LEAST_PATIENCE), MOST_PATIENCE)
            left = patience - self._waited()
        else:
            silent = self._lock.clock.boot() - self._answered_at
            left = max(LEAST_PATIENCE - silent, self._request.wait - self._waited())
        # One answer alone that did not come may be that of a claim: look once more.
        if left <= 0 and failures:
            self._leave()
            raise StorageUnreachable(str(trouble)) from trouble
        if self._situation is not None:
            self._situation = replace(self._situation, waited=self._waited(), trouble=str(trouble))
            self._observer.waiting(self._situation)
        return max(left, 0.0)

    def _leave(self) -> None:
        stray = self._stray is not None
        if depart(self._lock, self._place, stray=stray, chance=self._chance):
            self._stray = None

    def _waited(self) -> float:
        return self._lock.clock.boot() - self._began
