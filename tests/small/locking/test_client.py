"""One lock of one process: requests, and answers that do not come."""

import json

import pytest

from gcs_ci_lock.errors import OutcomeUnknown, PreconditionFailed
from gcs_ci_lock.locking.client import LockClient
from gcs_ci_lock.locking.lease import LeaseState, Lost
from gcs_ci_lock.locking.outcome import Released, Stopped
from gcs_ci_lock.protocol.queue import Claimant
from gcs_ci_lock.protocol.record import LossReason, Owner
from gcs_ci_lock.protocol.server_time import MAX_RATE_RATIO
from gcs_ci_lock.protocol.timing import Timing
from gcs_ci_lock.protocol.transitions import NotHeld, freeze
from gcs_ci_lock.storage.memory import MemoryStore, Moment, Request
from gcs_ci_lock.system.clock import ObservedServerClock
from tests.support.fakes import PATHS, Client, FakeClock, World
from tests.support.faults import nth_write
from tests.support.samples import CLAIMANT, FREEZE
from tests.support.waiters import queue_and_vanish


@pytest.mark.example
def test_a_release_by_another_process_takes_two_requests() -> None:
    world = World()
    lease = world.client("a").hold().lease.id
    other = world.client("a-post")

    other.lock.release(lease)

    assert [request.method for request in other.store.requests] == ["read", "write"]


@pytest.mark.example
def test_tokens_rise_over_releases_and_over_a_deleted_record() -> None:
    world = World()
    tokens = []
    for number in range(4):
        client = world.client(f"c{number}")
        acquired = client.hold()
        tokens.append(acquired.lease.token)
        client.lock.release(acquired.lease.id)
        if number == 1:
            world.clock.sleep(1.0)
            del world.bucket.objects[PATHS.record]

    assert tokens == sorted(set(tokens))


@pytest.mark.example
def test_a_claim_that_never_arrived_is_made_again_with_a_new_number_and_stamp() -> None:
    world = World()
    bodies: list[bytes] = []
    client = world.client("a", fault=nth_write(1, "before"))
    write = client.store.write

    def noting(path: str, body: bytes, **options: object) -> object:
        bodies.append(body)
        return write(path, body, **options)  # type: ignore[arg-type]  # handed on as it came

    client.store.write = noting  # type: ignore[method-assign,assignment]  # to look on
    acquired = client.hold()

    first, second = (json.loads(body)["holders"][0] for body in bodies)
    assert (first["beat"], second["beat"]) == (1, 2)
    assert second["expires_at"] >= first["expires_at"]
    assert bodies[0] != bodies[1]
    assert acquired.lease.revision == 2


@pytest.mark.example
def test_leaving_with_an_unknown_claim_blocks_the_stray_write() -> None:
    world = World()
    client = world.client("a")
    stray: list[tuple[bytes, int]] = []

    def lose_and_stop(request: Request, when: Moment) -> None:
        if request.method == "write" and when == "before" and not stray:
            stray.append((b"stray", 0))
            client.stop.set()
            message = "no answer"
            raise OutcomeUnknown(message)

    client.store._fault = lose_and_stop  # noqa: SLF001
    outcome = client.acquire()

    assert isinstance(outcome, Stopped)
    # The stray write named generation 0: there is an object now, so it can never land.
    assert PATHS.record in world.bucket.objects
    assert world.tickets() == []


@pytest.mark.example
def test_only_its_own_lease_is_released() -> None:
    world = World()
    holder, stranger = world.client("a"), world.client("b")
    lease = holder.hold().lease.id

    result = stranger.lock.release("somebody-else")

    assert isinstance(result, NotHeld)
    assert stranger.count("write") == 0
    record = stranger.lock.read().record
    assert record is not None
    assert record.holder(lease) is not None


@pytest.mark.example
def test_a_release_whose_answer_is_lost_is_known_to_have_happened() -> None:
    world = World()
    client = world.client("a", fault=nth_write(2, "after"))
    lease = client.hold().lease.id

    with pytest.raises(OutcomeUnknown):
        client.lock.release(lease)
    again = client.lock.release(lease)

    assert isinstance(again, Released)
    assert client.count("write") == 2


class Meanwhile:
    """Lets somebody else act just before one of our writes to the record."""

    def __init__(self) -> None:
        self.rivals: list[Client] = []

    def __call__(self, request: Request, when: Moment) -> None:
        if request.method == "write" and request.path == PATHS.record and when == "before":
            for rival in [self.rivals.pop()] if self.rivals else []:
                there = rival.store.read(PATHS.record, known=None, limit=10**6, timeout=1)
                body, generation = getattr(there, "body", b"{}"), getattr(there, "generation", 0)
                rival.store.write(PATHS.record, body, generation=generation, timeout=1)


@pytest.mark.fault
def test_a_release_that_meets_anothers_write_looks_again_and_releases() -> None:
    world, meanwhile = World(), Meanwhile()
    client = world.client("a", fault=meanwhile)
    lease = client.hold().lease.id
    meanwhile.rivals.append(world.client("b"))

    result = client.lock.release(lease)

    assert isinstance(result, Released)
    assert result.ended.lease == lease
    assert b'"holders": []' in world.record_body()


@pytest.mark.fault
def test_a_stray_claim_is_disowned_although_somebody_else_writes_meanwhile() -> None:
    world, meanwhile = World(), Meanwhile()
    world.client("holder").hold()
    client = world.client("a", fault=meanwhile)
    meanwhile.rivals.append(world.client("b"))

    result = client.lock.void_claim("stray")

    assert isinstance(result, NotHeld)
    # The write that met the other's, and the one that makes the stray claim meet a new generation.
    assert client.count("write") == 2


@pytest.mark.fault
def test_a_renewal_that_meets_anothers_write_is_stamped_anew() -> None:
    world, meanwhile = World(), Meanwhile()
    client = world.client("a", fault=meanwhile)
    lease = client.hold().lease
    meanwhile.rivals.append(world.client("b"))
    world.clock.sleep(20.0)

    renewed = client.lock.renew(lease)

    assert not isinstance(renewed, Lost)
    assert renewed.revision > lease.revision
    assert renewed.sent_at == world.clock.now


@pytest.mark.fault
def test_a_release_that_nobody_answers_is_not_taken_for_done() -> None:
    world = World()

    def fault(request: Request, when: Moment) -> None:
        if request.method == "write" and when == "before" and world.clock.now > 1_010:
            message = "no answer"
            raise OutcomeUnknown(message)

    client = world.client("a", fault=fault)
    lease = client.hold().lease.id
    world.clock.sleep(20.0)

    with pytest.raises(OutcomeUnknown):
        client.lock.release(lease)

    assert lease.encode() in world.record_body()


class SlowClock:
    """A boot clock that goes slower than the server's by the greatest ratio allowed."""

    def __init__(self, true: FakeClock) -> None:
        self._true = true

    def boottime(self) -> float:
        return self._true.boottime() / MAX_RATE_RATIO

    def sleep(self, seconds: float) -> None:
        self._true.sleep(seconds * MAX_RATE_RATIO)


class StaleDates(ObservedServerClock):
    """Knows the server's time from dates that are a sixth of the ttl behind."""

    def observe(self, *, date: float, sent: float, received: float) -> None:
        super().observe(date=date - 20.0, sent=sent, received=received)


@pytest.mark.fault
def test_a_holder_with_a_slow_clock_and_stale_dates_stops_before_a_rival_enters() -> None:
    world = World()
    clock, dates = SlowClock(world.clock), StaleDates()
    store = MemoryStore(world.bucket, clock=clock, server_clock=dates)
    timing = Timing.for_ttl(120.0)
    lock = LockClient(PATHS, store=store, clock=clock, server_clock=dates, timing=timing)
    lock.read()
    claimed = lock.claim(
        Claimant(lease="holder", owner=Owner(), slots=1, ttl=timing.ttl, asked=lock.now())
    )
    clock.sleep(20.0)
    # Nothing was heard since the claim: what is stamped now has drifted for a whole beat.
    renewed = lock.renew(claimed)
    assert isinstance(renewed, LeaseState)

    world.client("rival").hold(wait=300.0)

    assert not renewed.believes_held(clock.boottime(), dates.at(clock.boottime()).latest)


@pytest.mark.example
def test_a_release_of_a_lost_lease_notes_the_loss_for_everybody() -> None:
    world = World()
    client = world.client("a")
    lease = client.hold().lease
    loss = Lost(reason=LossReason.JOB_OVER, message="token 1: the job is over")

    released = client.lock.release(lease.id, loss=loss)

    assert isinstance(released, Released)
    assert (released.ended.loss, released.ended.note) == (LossReason.JOB_OVER, loss.message)
    seen = world.client("post").lock.release(lease.id)
    assert isinstance(seen, Released)
    assert seen.ended == released.ended
    assert b'"loss": "job_over"' in world.record_body()


@pytest.mark.example
def test_a_release_in_good_order_notes_none() -> None:
    world = World()
    client = world.client("a")

    released = client.lock.release(client.hold().lease.id)

    assert isinstance(released, Released)
    assert (released.ended.loss, released.ended.note) == (None, "")
    assert b"loss" not in world.record_body()


@pytest.mark.example
def test_a_lock_that_nobody_has_held_is_held_by_nobody() -> None:
    client = World().client("a")

    assert client.lock.read().record is None
    assert client.lock.release("mine") == NotHeld(ended=None, holders=())
    assert client.count("write") == 0


@pytest.mark.example
def test_a_change_that_changes_nothing_costs_no_write() -> None:
    world = World()
    world.client("holder").hold()
    client = world.client("a")

    record = client.lock.update(lambda record, _: record)

    assert len(record.holders) == 1
    assert [request.method for request in client.store.requests] == ["read"]


@pytest.mark.fault
def test_a_change_that_meets_anothers_write_is_made_on_what_is_there_then() -> None:
    world, meanwhile = World(), Meanwhile()
    world.client("holder").hold()
    client = world.client("a", fault=meanwhile)
    meanwhile.rivals.append(world.client("b"))

    record = client.lock.update(lambda record, _: freeze(record, FREEZE))

    assert record.frozen == FREEZE
    assert [r.method for r in client.store.requests] == ["read", "write", "read", "write"]


@pytest.mark.example
def test_a_claim_on_a_record_without_room_is_not_written() -> None:
    world = World()
    world.client("holder").hold()
    client = world.client("a")
    client.lock.read()

    with pytest.raises(PreconditionFailed, match='lock "prod" has no free slot any more'):
        client.lock.claim(CLAIMANT)

    assert client.count("write") == 0


@pytest.mark.example
def test_a_stray_claim_that_has_landed_is_released() -> None:
    world = World()
    lease = world.client("a").hold().lease.id

    result = world.client("post").lock.void_claim(lease)

    assert isinstance(result, Released)
    assert result.ended.lease == lease


@pytest.mark.example
def test_objects_in_the_queue_that_are_no_tickets_are_passed_over() -> None:
    world = World()
    world.client("holder").hold()
    client = world.client("a")
    queue_and_vanish(client)
    client.store.write(PATHS.ticket("junk"), b"", generation=0, timeout=1)

    assert [ticket.lease for ticket in client.lock.tickets()] == ["a-1"]


@pytest.mark.example
def test_others_that_write_meanwhile_cost_a_beat_one_read_and_one_write() -> None:
    world = World()
    client, other = world.client("a"), world.client("b")
    lease = client.hold(slots=2).lease
    other.hold(slots=2)
    before = len(client.store.requests)

    renewed = client.lock.renew(lease)

    assert not isinstance(renewed, Lost)
    assert [r.method for r in client.store.requests[before:]] == ["write", "read", "write"]
    record = client.lock.read().record
    assert record is not None
    assert len(record.holders) == 2


@pytest.mark.example
def test_a_beat_whose_answer_is_lost_counts_from_its_own_send() -> None:
    world = World()
    client = world.client("a", fault=nth_write(2, "after"))
    lease = client.hold().lease
    world.clock.sleep(20.0)
    sent = world.clock.now

    with pytest.raises(OutcomeUnknown):
        client.lock.renew(lease)
    world.clock.sleep(3.0)
    renewed = client.lock.renew(lease)

    assert not isinstance(renewed, Lost)
    assert renewed.sent_at == sent
    assert client.count("write") == 2


@pytest.mark.example
def test_a_lost_lease_is_never_renewed_though_the_record_still_names_it() -> None:
    world = World()
    client = world.client("a")
    acquired = client.hold()
    world.clock.sleep(acquired.lease.timing.give_up)
    before = client.count("write")

    result = client.lock.renew(acquired.lease)

    assert isinstance(result, Lost)
    assert client.count("write") == before
    record = client.lock.read().record
    assert record is not None
    assert record.holder(acquired.lease.id) is not None


@pytest.mark.example
def test_an_adopted_lease_is_believed_in_no_longer_than_the_first_owner_would() -> None:
    world = World()
    acquired = world.client("a").hold()
    world.clock.sleep(30.0)
    heir = world.client("heir")
    record = heir.lock.read().record
    assert record is not None
    holder = record.holder(acquired.lease.id)
    assert holder is not None

    lease = heir.lock.confirm(holder)

    assert lease.token == acquired.lease.token
    assert lease.deadline <= acquired.lease.deadline + 1.0


@pytest.mark.example
def test_deadlines_count_from_the_send_and_not_from_the_answer() -> None:
    world = World()

    def slow_answer(request: Request, when: Moment) -> None:
        if request.method == "write" and when == "after":
            world.clock.sleep(3.0)

    client = world.client("a", fault=slow_answer)
    began = world.clock.now

    claimed = client.hold().lease
    renewing = world.clock.now
    renewed = client.lock.renew(claimed)

    assert claimed.sent_at == began
    assert claimed.deadline == began + 80.0
    assert isinstance(renewed, LeaseState)
    assert renewed.sent_at == renewing


@pytest.mark.example
def test_the_deadline_is_that_of_the_attempt_in_the_record() -> None:
    world = World()
    # The first renewal lands, and its answer is lost.
    client = world.client("a", fault=nth_write(2, "after"))
    lease = client.hold().lease
    world.clock.sleep(20.0)
    first_sent = world.clock.now
    with pytest.raises(OutcomeUnknown):
        client.lock.renew(lease)
    world.clock.sleep(5.0)
    client.lock._sent[99] = world.clock.now  # noqa: SLF001 - an attempt that never arrived

    found = client.lock.renew(lease)

    assert isinstance(found, LeaseState)
    assert found.sent_at == first_sent
