"""Acquire a lock: read, queue, claim when it is our turn, withdraw if it never is.

Every step begins with a read of the record, which shows the effect of every earlier write. So a
missing response never leads to a conclusion. The numbers C1 to C9 and W1 to W6 are those of
docs/protocol.md.

In model/lock.pml: judge, renounce, exclusion.
"""

from dataclasses import dataclass, replace

from gcs_ci_lock.errors import OutcomeUnknown, PreconditionFailed, StorageUnreachable
from gcs_ci_lock.locking.client import LockClient
from gcs_ci_lock.locking.contender import Contender
from gcs_ci_lock.locking.dead_holders import DeadHolders
from gcs_ci_lock.locking.lease import LeaseState
from gcs_ci_lock.locking.outcome import Acquired, Obsolete, Stopped, TimedOut
from gcs_ci_lock.locking.pending_claim import PendingClaim
from gcs_ci_lock.locking.polling import next_pause
from gcs_ci_lock.locking.record_store import VersionedRecord
from gcs_ci_lock.locking.request import LockRequest
from gcs_ci_lock.locking.retry import OutageTimer
from gcs_ci_lock.ports import Random, Stop, Verifier, WaitObserver
from gcs_ci_lock.protocol.admission import AlreadyEnded, AlreadyHolding, MayClaim, MustWait
from gcs_ci_lock.protocol.obsolete import Outdated, Superseded
from gcs_ci_lock.protocol.queue import QueuePosition
from gcs_ci_lock.protocol.record import Record
from gcs_ci_lock.protocol.takeover import taken_over
from gcs_ci_lock.protocol.transitions import drop_expired, empty_record
from gcs_ci_lock.protocol.wait_status import WaitStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class _NotYet:
    """Not acquired by this step; the next one is due after `pause` seconds.

    Attributes:
        decided: the record was read, and we may not hold the lock yet.
    """

    pause: float
    decided: bool


_AT_ONCE = _NotYet(pause=0.0, decided=False)


class Acquisition:
    """One acquisition of one lock.

    Args:
        lock: the lock.
        request: what is asked for.
        random: lease ids and jitter.
        stop: ends the wait.
        observer: is called before every claim, and at every poll.
        verifier: finds out whether a holder's job is over.
    """

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
        """Whether a claim or a ticket of ours may be in the bucket, now or later."""
        return self._claim_state.may_land or self._contender.may_leave_ticket

    def run(self) -> Acquired | TimedOut | Obsolete | Stopped:
        """Wait for the lock and acquire it.

        Raises:
            LockError: the wait failed; our claim and ticket are withdrawn as far as possible.
        """
        self._observer.on_claim(self._contender.claimant.lease)
        while not self._stop.is_set():
            try:
                step = self._step()
                self._outage.reset()
            except OutcomeUnknown as trouble:
                step = self._pause_in_outage(trouble)
            except (Exception, KeyboardInterrupt):
                self._withdraw()
                raise
            if isinstance(step, Acquired):
                return self._entered(step)
            if isinstance(step, Obsolete):
                self._withdraw()
                return step
            remaining = self._request.wait - self._waited()
            if remaining <= 0 and step.decided and self._status:
                self._withdraw()
                return TimedOut(status=replace(self._status, waited=self._waited()))
            self._stop.wait(min(step.pause, remaining) if remaining > 0 else step.pause)
        self._withdraw()
        return Stopped(waited=self._waited())

    def _pause_in_outage(self, trouble: OutcomeUnknown) -> _NotYet:
        try:
            pause = self._outage.next_pause(trouble)
        except StorageUnreachable:
            self._withdraw()
            raise
        self._report_trouble(trouble)
        return _NotYet(pause=pause, decided=False)

    def _step(self) -> Acquired | Obsolete | _NotYet:
        """Read the record and decide (steps C1 to C3)."""
        read_at = self._lock.clock.boottime()
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
                return self._queue(decision, stored, record, read_at)

    def _queue(
        self, decision: MayClaim | MustWait, stored: VersionedRecord, record: Record, read_at: float
    ) -> Acquired | _NotYet:
        """Claim if it is our turn, otherwise wait (steps C4 to C7, W1 and W2)."""
        position = decision.position
        if position is None:
            return self._claim(stored, record)
        earliest = self._lock.now().earliest
        if self._contender.supersede(record, earliest):
            return _AT_ONCE
        if self._dead_holders.evict(record, position):
            return _AT_ONCE
        may_claim = isinstance(decision, MayClaim)
        left = self._contender.settle_time_left(
            position, record, may_claim=may_claim, read_at=read_at
        )
        if left <= 0:
            return self._claim(stored, record)
        return self._wait(record, position, earliest, at_most=left)

    def _claim(self, stored: VersionedRecord, record: Record) -> Acquired | _NotYet:
        """Write a claim on the record that was just read (step C8)."""
        try:
            lease = self._claim_state.submit(self._contender.claimant, stored)
        except PreconditionFailed:
            # Start again, and list the queue again: our own write may have been the change.
            self._contender.invalidate()
            return _AT_ONCE
        return self._judge(lease, record)

    def _judge(self, lease: LeaseState, record: Record) -> Acquired | _NotYet:
        """Accept a claim in the record, unless it landed after its own give-up (step C9)."""
        if not self._claim_state.accept(lease):
            self._restart_with_new_lease()
            return _AT_ONCE
        took_over = taken_over(record, lease.id)
        return Acquired(lease=lease, waited=self._waited(), record=record, took_over=took_over)

    def _restart_with_new_lease(self) -> None:
        lease = self._random.lease_id()
        self._observer.on_claim(lease)
        self._claim_state.clear()
        self._contender.restart_as(lease)

    def _wait(
        self, record: Record, position: QueuePosition, earliest: float, *, at_most: float
    ) -> _NotYet:
        """Refresh the ticket, report, and choose the time of the next read (steps W3 and W4)."""
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
        pause = next_pause(
            record,
            position,
            earliest=earliest,
            at_most=at_most,
            fraction=self._random.fraction(),
        )
        return _NotYet(pause=pause, decided=True)

    def _entered(self, acquired: Acquired) -> Acquired | Stopped:
        """Check the stop flag once more, then delete the tickets that are served (step W6)."""
        if self._stop.is_set():
            # The claim landed, but is not wanted any more.
            self._claim_state.revoke()
            self._withdraw()
            return Stopped(waited=self._waited())
        lease = acquired.lease
        self._contender.clean_up(sent_at=lease.sent_at, renew_every=lease.timing.renew_every)
        return acquired

    def _report_trouble(self, trouble: OutcomeUnknown) -> None:
        if self._status is not None:
            self._status = replace(self._status, waited=self._waited(), trouble=str(trouble))
            self._observer.on_wait(self._status)

    def _withdraw(self) -> None:
        if self._contender.withdraw(claim_may_land=self._claim_state.may_land, random=self._random):
            self._claim_state.clear()

    def _waited(self) -> float:
        return self._lock.clock.boottime() - self._began
