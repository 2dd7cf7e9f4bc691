"""Acquiring a lock: look, queue, and claim when it is our turn.

Every step begins with a read of the record. Whatever an earlier write did, its effect is seen
there first, so that nothing is ever concluded from an answer that did not come.

In model/lock.pml: judge, renounce, exclusion.
"""

from dataclasses import dataclass, replace

from gcs_ci_lock.errors import OutcomeUnknown, PreconditionFailed
from gcs_ci_lock.locking.client import LockClient
from gcs_ci_lock.locking.contender import Contender
from gcs_ci_lock.locking.dead_holders import DeadHolders
from gcs_ci_lock.locking.leaving import withdraw
from gcs_ci_lock.locking.outcome import Acquired, Obsolete, Stopped, TimedOut
from gcs_ci_lock.locking.pending_claim import PendingClaim
from gcs_ci_lock.locking.record_store import VersionedRecord
from gcs_ci_lock.locking.request import LeaseState, LockRequest
from gcs_ci_lock.locking.retry import OutageTimer
from gcs_ci_lock.ports import Random, Stop, Verifier, WaitObserver
from gcs_ci_lock.protocol.admission import AlreadyEnded, AlreadyHolding, MayClaim, MustWait
from gcs_ci_lock.protocol.obsolete import Outdated, Superseded
from gcs_ci_lock.protocol.queue import QueuePosition
from gcs_ci_lock.protocol.record import Record
from gcs_ci_lock.protocol.takeover import taken_over
from gcs_ci_lock.protocol.transitions import drop_expired, empty_record
from gcs_ci_lock.protocol.wait_status import WaitStatus

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


class Acquisition:
    """One acquisition of one lock."""

    def __init__(
        self,
        lock: LockClient,
        request: LockRequest,
        *,
        random: Random,
        stop: Stop,
        observer: WaitObserver,
        verifier: Verifier,
    ) -> None:
        """Take what is needed; no request is made.

        Args:
            lock: the lock as this process sees it.
            request: what is asked for.
            random: lease ids and jitter.
            stop: ends the wait.
            observer: is told of every step.
            verifier: is asked whether a holder that keeps us out is dead.
        """
        self._lock = lock
        self._request = request
        self._random = random
        self._stop = stop
        self._observer = observer
        self._dead_holders = DeadHolders(lock, request.owner, verifier)
        self._began = lock.clock.boottime() - request.spent
        self._contender = Contender(lock, request, random.lease_id())
        self._claim_state = PendingClaim(lock)
        self._outage = OutageTimer(
            lock.clock, random, budget=max(request.wait - request.spent, 0.0)
        )
        self._status: WaitStatus | None = None

    @property
    def may_leave_objects(self) -> bool:
        """Tell whether a claim or a ticket of ours may still be, or come to be, in the bucket."""
        return self._claim_state.may_land or self._contender.ticket.may_exist

    def run(self) -> Acquired | TimedOut | Obsolete | Stopped:
        """Wait for the lock, and take it.

        Raises:
            LockError: it cannot be waited for; nothing of us is left as far as can be told.
        """
        self._observer.on_claim(self._contender.claimant.lease)
        while not self._stop.is_set():
            try:
                step = self._step()
                self._outage.reset()
            except OutcomeUnknown as trouble:
                pause = self._outage.next_pause(trouble, self._leave)
                self._report_trouble(trouble)
                step = _NotYet(pause=pause, decided=False)
            except (Exception, KeyboardInterrupt):
                self._leave()
                raise
            if isinstance(step, Acquired):
                return self._entered(step)
            if isinstance(step, Obsolete):
                self._leave()
                return step
            remaining = self._request.wait - self._waited()
            if remaining <= 0 and step.decided and self._status:
                self._leave()
                return TimedOut(status=replace(self._status, waited=self._waited()))
            self._stop.wait(min(step.pause, remaining) if remaining > 0 else step.pause)
        self._leave()
        return Stopped(waited=self._waited())

    def _step(self) -> Acquired | Obsolete | _NotYet:
        looked_at = self._lock.clock.boottime()
        stored = self._lock.read()
        now = self._lock.now()
        record = drop_expired(
            stored.record or empty_record(self._lock.paths.name, now.earliest), now.earliest
        )
        self._contender.note_first_read(now)
        decision = self._contender.decide(record, now.earliest)
        match decision:
            case AlreadyHolding():
                return self._judge(self._lock.confirm(decision.holder), record)
            case AlreadyEnded():
                self._restart_with_new_lease()
                return _AT_ONCE
            case Outdated() | Superseded():
                self._claim_state.observed_absent(stored)
                return Obsolete(waited=self._waited(), why=decision)
            case MayClaim() | MustWait():
                self._claim_state.observed_absent(stored)
                return self._queue(decision, stored, record, looked_at=looked_at)

    def _queue(
        self,
        decision: MayClaim | MustWait,
        stored: VersionedRecord,
        record: Record,
        *,
        looked_at: float,
    ) -> Acquired | _NotYet:
        """Enter if it is our turn, else keep our place."""
        position = decision.position
        if position is None:
            return self._claim(stored, record)
        earliest = self._lock.now().earliest
        if self._contender.supersede(record, earliest) or self._dead_holders.evict(
            record, position
        ):
            return _AT_ONCE
        may_claim = isinstance(decision, MayClaim)
        left = self._contender.settle_time_left(
            position, record, may_claim=may_claim, looked_at=looked_at
        )
        if left <= 0:
            return self._claim(stored, record)
        return self._wait(record, position, earliest, at_most=left)

    def _claim(self, stored: VersionedRecord, record: Record) -> Acquired | _NotYet:
        try:
            lease = self._claim_state.submit(self._contender.claimant, stored)
        except PreconditionFailed:
            # From the first step again, listing included; our own write may have been the change.
            self._contender.invalidate()
            return _AT_ONCE
        return self._judge(lease, record)

    def _judge(self, lease: LeaseState, record: Record) -> Acquired | _NotYet:
        """Take a claim that is in the record, unless it came after its own give-up."""
        if not self._claim_state.accept(lease):
            self._restart_with_new_lease()
            return _AT_ONCE
        return Acquired(
            lease=lease,
            waited=self._waited(),
            record=record,
            took_over=taken_over(record, lease.id),
        )

    def _restart_with_new_lease(self) -> None:
        lease = self._random.lease_id()
        self._observer.on_claim(lease)
        self._claim_state.clear()
        self._contender.restart_as(lease)

    def _wait(
        self, record: Record, position: QueuePosition, earliest: float, *, at_most: float
    ) -> _NotYet:
        trouble = self._contender.refresh_ticket()
        self._status = WaitStatus(
            name=self._lock.paths.name,
            uri=self._lock.paths.uri,
            record=record,
            position=position,
            waiters=self._contender.waiters(record, earliest),
            earliest=earliest,
            waited=self._waited(),
            budget=self._request.wait,
            slots=self._request.slots,
            ttl=self._request.timing.ttl,
            also_holding=self._request.also_holding,
            trouble=trouble,
        )
        self._observer.on_wait(self._status)
        spread = 1 + POLL_SPREAD * (2 * self._random.fraction() - 1)
        poll = min(HEAD_POLL + len(position.ahead), SLOWEST_POLL) * spread
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
            self._claim_state.revoke()
            self._leave()
            return Stopped(waited=self._waited())
        lease = acquired.lease
        self._contender.clean_up(sent_at=lease.sent_at, beat=lease.timing.renew_every)
        return acquired

    def _report_trouble(self, trouble: OutcomeUnknown) -> None:
        if self._status is not None:
            self._status = replace(self._status, waited=self._waited(), trouble=str(trouble))
            self._observer.on_wait(self._status)

    def _leave(self) -> None:
        stray, place = self._claim_state.may_land, self._contender.ticket
        if withdraw(self._lock, place, stray=stray, random=self._random):
            self._claim_state.clear()

    def _waited(self) -> float:
        return self._lock.clock.boottime() - self._began
