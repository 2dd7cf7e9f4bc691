"""Taking and giving back a lock: requests, and answers that do not come."""

import json
import re
from dataclasses import replace

import pytest

from gcs_ci_lock.errors import BucketMissing, Denied, OutcomeUnknown, RecordInvalid
from gcs_ci_lock.locking.outcome import Acquired, Released, Stopped, TimedOut
from gcs_ci_lock.protocol.transitions import NotHeld
from gcs_ci_lock.storage.memory import Moment, Request
from tests.support.fakes import PATHS, World
from tests.support.faults import nth_write

pytestmark = pytest.mark.example


def test_an_uncontended_claim_takes_two_requests_and_its_release_one() -> None:
    world = World()
    client = world.client("a")

    acquired = client.hold()
    claim = list(client.store.requests)
    released = client.lock.release(acquired.lease.id)

    assert [request.method for request in claim] == ["read", "write"]
    assert isinstance(released, Released)
    assert [request.method for request in client.store.requests[2:]] == ["write"]


def test_a_lock_released_a_moment_ago_takes_one_listing_more() -> None:
    world = World()
    first, second = world.client("a"), world.client("b")
    first.lock.release(first.hold().lease.id)

    second.hold()

    assert [request.method for request in second.store.requests] == ["read", "list", "write"]


def test_a_release_by_another_process_takes_two_requests() -> None:
    world = World()
    lease = world.client("a").hold().lease.id
    other = world.client("a-post")

    other.lock.release(lease)

    assert [request.method for request in other.store.requests] == ["read", "write"]


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


def test_a_claim_whose_answer_is_lost_is_found_and_dated_by_its_own_send() -> None:
    world = World()
    client = world.client("a", fault=nth_write(1, "after"))

    began = world.clock.now
    acquired = client.hold()

    assert acquired.lease.sent_at == began
    assert client.count("write") == 1
    assert world.clock.now > began


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


def test_a_refused_claim_starts_again_with_a_listing() -> None:
    world = World()
    rival = world.client("rival")

    def rival_is_quicker(request: Request, when: Moment) -> None:
        if request.method == "write" and when == "before" and not rival.store.requests:
            rival.hold()

    client = world.client("a", fault=rival_is_quicker)
    outcome = client.acquire(wait=0)

    assert isinstance(outcome, TimedOut)
    assert [r.method for r in client.store.requests] == ["read", "write", "read", "list"]
    assert outcome.status.record.holders[0].owner.actor == "rival"


def test_a_claim_that_landed_after_its_own_give_up_is_given_back_and_waited_for_anew() -> None:
    world = World()
    client = world.client("a")
    state = {"slow": True}

    def slow_answer(request: Request, when: Moment) -> None:
        if request.method == "write" and when == "after" and state["slow"]:
            state["slow"] = False
            world.clock.sleep(client.timing.give_up + 1)
            message = "timed out"
            raise OutcomeUnknown(message)

    client.store._fault = slow_answer  # noqa: SLF001 - the client had to be there first
    acquired = client.hold(wait=600)

    assert client.diary.leases == ["a-1", "a-2"]
    assert acquired.lease.id == "a-2"
    record = client.lock.read().record
    assert record is not None
    assert [(e.lease, e.outcome) for e in record.history] == [("a-1", "released")]


def test_a_claim_that_nobody_wants_any_more_is_released_at_once() -> None:
    world = World()
    client = world.client("a")

    def stop_meanwhile(request: Request, when: Moment) -> None:
        if request.method == "write" and when == "before":
            client.stop.set()

    client.store._fault = stop_meanwhile  # noqa: SLF001
    outcome = client.acquire()

    assert isinstance(outcome, Stopped)
    record = world.client("other").lock.read().record
    assert record is not None
    assert record.holders == ()


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


def test_a_release_whose_answer_is_lost_is_known_to_have_happened() -> None:
    world = World()
    client = world.client("a", fault=nth_write(2, "after"))
    lease = client.hold().lease.id

    with pytest.raises(OutcomeUnknown):
        client.lock.release(lease)
    again = client.lock.release(lease)

    assert isinstance(again, Released)
    assert client.count("write") == 2


@pytest.mark.parametrize(
    "body",
    [
        b"not JSON",
        b'{"schema": 99}',
        b" " * 5_000_000,
        (
            b'{"schema":1,"name":"prod","fence":1,"freed_at":0,"holders":[{"lease":"x"}],'
            b'"frozen":null,"sequences":{},"history":[]}'
        ),
    ],
    ids=["text", "schema 99", "5 MB", "holder without a token"],
)
def test_a_record_that_is_none_is_refused_and_left_as_it_is(body: bytes) -> None:
    world = World()
    world.client("x").store.write(PATHS.record, body, generation=0, timeout=1)
    client = world.client("a")

    with pytest.raises(RecordInvalid, match=re.escape("gs://acme-locks/locks/prod/lock.json")):
        client.acquire()

    assert world.record_body() == body
    assert client.count("write") == 0


@pytest.mark.parametrize("error", [Denied("no"), BucketMissing("no")])
def test_a_refusal_ends_the_wait_at_once(error: Exception) -> None:
    world = World()

    def refuse(_request: Request, _when: Moment) -> None:
        raise error

    client = world.client("a", fault=refuse)

    with pytest.raises(type(error)):
        client.acquire()
    assert len(client.store.requests) == 1


def test_what_was_taken_over_and_who_was_before_is_told() -> None:
    world = World()
    dead = world.client("dead").hold()
    world.clock.sleep(125.0)

    acquired = world.client("a").hold(wait=60)

    assert isinstance(acquired, Acquired)
    assert [ended.lease for ended in acquired.took_over] == [dead.lease.id]
    assert acquired.previous is not None
    assert acquired.previous.owner.actor == "dead"
    assert [e.outcome for e in acquired.record.history] == ["expired"]
    assert acquired.lease.token == dead.lease.token + 1


def test_our_own_end_is_not_the_one_before_us() -> None:
    world = World()
    first = world.client("first")
    first.lock.release(first.hold().lease.id)
    held = world.client("a").hold()
    others = held.record.history
    ours = replace(others[-1], lease=held.lease.id)

    again = replace(held, record=replace(held.record, history=(*others, ours)))
    alone = replace(held, record=replace(held.record, history=(ours,)))

    assert again.previous == others[-1]
    assert alone.previous is None
