"""One lock as one process uses it: read the record, apply a transition, write it.

It does not act on a lost lease (see `keepalive`), and is not fair (see `acquisition`).
The numbers C, R and E are those of docs/protocol.md.

In model/lock.pml: landed, MAY_RENEW.
"""

from collections.abc import Callable

from gcs_ci_lock.errors import PreconditionFailed
from gcs_ci_lock.locking.lease import LeaseState, Lost, removed_from_record, renewal_overdue
from gcs_ci_lock.locking.outcome import Released
from gcs_ci_lock.locking.record_store import RecordStore, VersionedRecord
from gcs_ci_lock.ports import Clock, ObjectInfo, ObjectStore, ServerClock
from gcs_ci_lock.protocol import transitions
from gcs_ci_lock.protocol.names import LockPaths
from gcs_ci_lock.protocol.queue import Claimant, fits
from gcs_ci_lock.protocol.record import Holder, Record, Ticket
from gcs_ci_lock.protocol.server_time import Interval
from gcs_ci_lock.protocol.ticket_metadata import decode_ticket
from gcs_ci_lock.protocol.timing import Timing
from gcs_ci_lock.protocol.transitions import NotHeld, empty_record


class LockClient:
    """One lock, for one thread at a time: two writes of it must never be in flight together.

    Args:
        paths: the lock's objects.
        store: the bucket.
        clock: the boot clock on which deadlines are counted.
        server_clock: fed by `store`.
        timing: the lease's times; they bound the time of each request.
    """

    def __init__(
        self,
        paths: LockPaths,
        *,
        store: ObjectStore,
        clock: Clock,
        server_clock: ServerClock,
        timing: Timing,
    ) -> None:
        self.paths = paths
        self.store = store
        self.clock = clock
        self.server_clock = server_clock
        self.timing = timing
        self._record = RecordStore(paths, store=store, timing=timing)
        # Revision of each attempt to write our lease -> boot clock when it was begun.
        self._sent: dict[int, float] = {}

    def read(self) -> VersionedRecord:
        """Read the record; one request.

        Raises:
            StoreError: as `ObjectStore.read`.
            RecordInvalid: the object is not a record of this lock.
        """
        return self._record.read()

    def tickets(self) -> tuple[Ticket, ...]:
        """List the queue; one request per page. Objects that are not tickets are skipped."""
        entries = self.store.list(self.paths.queue, timeout=self.timing.read_timeout)
        found = (_ticket(self.paths, entry) for entry in entries)
        return tuple(ticket for ticket in found if ticket is not None)

    def now(self) -> Interval:
        """Return the server time now."""
        return self.server_clock.at(self.clock.boottime())

    def claim(self, claimant: Claimant) -> LeaseState:
        """Write a claim on what `read` last returned (step C8); one request.

        Does not decide whether the claimant may claim: `admission.decide` does.

        Raises:
            PreconditionFailed: the record has changed since; read it again.
            OutcomeUnknown: the claim may have landed; read again before anything else.
        """
        stored = self._record.known
        # The stamp and the deadline need the same reading.
        boot = self.clock.boottime()
        now = self.server_clock.at(boot)
        record = stored.record or empty_record(self.paths.name, now.latest)
        ready = transitions.drop_expired(record, now.earliest)
        if ready.holder(claimant.lease) is None and not fits(ready.holders, claimant):
            # Contradicting responses have moved "earliest" back since the decision.
            message = f'lock "{self.paths.name}" has no free slot any more'
            raise PreconditionFailed(message)
        written = transitions.grant(
            ready,
            claimant,
            now=now,
            revision=self._next_revision(0),
            fence_seen=self._record.fence_seen,
        )
        self._sent[written.holder.revision] = boot
        self._record.write(written.record, over=stored)
        return self._lease_state(written.holder, boot)

    def confirm(self, holder: Holder) -> LeaseState:
        """Return our belief in a lease that the record shows (step C2).

        The deadline counts from the send of the attempt that wrote the stamp. An attempt of another
        process is dated by its stamp, which is never earlier than its send.
        """
        if (sent_at := self._sent.get(holder.revision)) is None:
            boot = self.clock.boottime()
            stamped_at = holder.expires_at - holder.ttl
            sent_at = boot - max(self.server_clock.at(boot).latest - stamped_at, 0.0)
        return self._lease_state(holder, sent_at)

    def renew(self, lease: LeaseState) -> LeaseState | Lost:
        """Renew a lease (steps R1 to R5); one request if nobody else wrote since our last.

        Raises:
            StoreError: the outcome is unknown; call again after a pause.
            RecordInvalid: likewise.
        """
        while True:
            boot = self.clock.boottime()
            now = self.server_clock.at(boot)
            if not lease.believes_held(boot, now.latest):
                return renewal_overdue(lease, boot)
            if not self._record.certain:  # step R2
                stored = self.read()
                holder = stored.record.holder(lease.id) if stored.record else None
                if holder and holder.revision > lease.revision and holder.revision in self._sent:
                    return self.confirm(holder)
                # The read took time: stamp and deadline need a new reading of the clock.
                continue
            record = self._record.known.record or empty_record(self.paths.name, now.latest)
            revision = self._next_revision(lease.revision)
            result = transitions.renew(record, lease.id, now=now, revision=revision)
            if isinstance(result, NotHeld):
                return removed_from_record(lease.token, result)
            self._sent[revision] = boot
            try:
                self._record.write(result.record, over=self._record.known)
            except PreconditionFailed:
                continue
            return self._lease_state(result.holder, boot)

    def release(self, lease: str, *, loss: Lost | None = None) -> Released | NotHeld:
        """Release a lease, and no other (steps E1 to E3); one request if nobody else wrote.

        Args:
            lease: the lease id.
            loss: how it was lost before this release, for the history; None: it was not.

        Raises:
            StoreError: the outcome is unknown; call again, or let the lease expire.
            RecordInvalid: likewise.
        """
        while True:
            stored = self._record.current()
            if stored.record is None:
                return NotHeld(ended=None, holders=())
            now = self.now()
            result = transitions.release(
                stored.record,
                lease,
                earliest=now.earliest,
                note=loss.message if loss else "",
                loss=loss.reason if loss else None,
            )
            if isinstance(result, NotHeld):
                # Only its holder releases a lease, so an earlier write of ours has landed.
                if result.ended is not None and result.ended.outcome == "released":
                    return Released(ended=result.ended)
                return result
            try:
                self._record.write(result.record, over=stored)
            except PreconditionFailed:
                continue
            return Released(ended=result.ended)

    def update(self, transition: Callable[[Record, Interval], Record]) -> Record:
        """Change the record; one request if nobody else wrote, none if nothing changes.

        Args:
            transition: returns the record to write; called again if another process has written.

        Raises:
            StoreError: the outcome is unknown; call again.
            RecordInvalid: the object is not a record of this lock.
        """
        while True:
            stored = self._record.current()
            now = self.now()
            record = stored.record or empty_record(self.paths.name, now.latest)
            changed = transition(record, now)
            if changed == record:
                return record
            try:
                self._record.write(changed, over=stored)
            except PreconditionFailed:
                continue
            return changed

    def void_claim(self, lease: str) -> Released | NotHeld:
        """Make sure that a claim whose answer is unknown never holds the lock (step E4).

        If it has not landed, the record is rewritten unchanged, so that it can never land.

        Raises:
            StoreError: the outcome is unknown; call again.
        """
        while True:
            self._record.invalidate()
            result = self.release(lease)
            if isinstance(result, Released) or result.ended is not None:
                return result
            stored = self._record.known
            unchanged = stored.record or empty_record(self.paths.name, self.now().latest)
            try:
                self._record.write(unchanged, over=stored)
            except PreconditionFailed:
                # The stray write itself may have been the change.
                continue
            return result

    def _next_revision(self, acknowledged: int) -> int:
        return max([acknowledged, *self._sent]) + 1

    def _lease_state(self, holder: Holder, sent_at: float) -> LeaseState:
        # Responses to earlier attempts do not matter any more.
        self._sent = {n: at for n, at in self._sent.items() if n >= holder.revision}
        return LeaseState(
            id=holder.lease,
            token=holder.token,
            timing=self.timing,
            revision=holder.revision,
            sent_at=sent_at,
            expires_at=holder.expires_at,
        )


def _ticket(paths: LockPaths, entry: ObjectInfo) -> Ticket | None:
    return decode_ticket(
        entry.path.removeprefix(paths.queue),
        entry.metadata,
        generation=entry.generation,
        created_text=entry.created_text,
        updated_text=entry.updated_text,
    )
