"""The record's object, its generation, and whether that is certain."""

import re
from dataclasses import replace

import pytest

from gcs_ci_lock.errors import OutcomeUnknown, PreconditionFailed, RecordInvalid, UsageError
from gcs_ci_lock.locking.record_store import RecordStore, VersionedRecord
from gcs_ci_lock.storage.memory import Moment
from tests.support.fakes import PATHS, Client, World
from tests.support.faults import nth_write
from tests.support.samples import RECORD


@pytest.mark.example
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


def record_store(client: Client) -> RecordStore:
    return RecordStore(PATHS, store=client.store, timing=client.timing)


@pytest.mark.example
def test_nothing_is_certain_before_the_first_read_and_then_it_is_not_read_again() -> None:
    client = World().client("a")
    stored = record_store(client)
    assert (stored.certain, stored.fence_seen) == (False, 0)

    assert stored.current() == VersionedRecord(record=None, generation=0)
    assert stored.current() is stored.known

    assert stored.certain
    assert client.count("read") == 1


@pytest.mark.example
def test_what_was_written_is_known_without_a_read() -> None:
    client = World().client("a")
    stored = record_store(client)

    stored.write(RECORD, over=stored.read())

    assert stored.current().record == RECORD
    assert stored.current().generation != 0
    assert client.count("read") == 1
    # A read that finds nothing new leaves it as it is.
    assert stored.read().record == RECORD


@pytest.mark.fault
@pytest.mark.parametrize("when", ["before", "after"])
def test_after_a_write_without_an_answer_only_a_read_tells_what_is_there(when: Moment) -> None:
    client = World().client("a", fault=nth_write(1, when))
    stored = record_store(client)
    empty = stored.read()

    with pytest.raises(OutcomeUnknown):
        stored.write(RECORD, over=empty)

    assert not stored.certain
    assert stored.known == empty
    assert stored.current().record == (RECORD if when == "after" else None)


@pytest.mark.example
def test_a_write_over_another_generation_is_refused_and_what_is_there_is_read() -> None:
    world = World()
    rival, stored = record_store(world.client("rival")), record_store(world.client("a"))
    empty = stored.read()
    rival.write(RECORD, over=rival.read())

    with pytest.raises(PreconditionFailed):
        stored.write(replace(RECORD, fence=99), over=empty)

    assert not stored.certain
    assert stored.current().record == RECORD


@pytest.mark.example
def test_a_record_that_nobody_could_read_is_not_sent() -> None:
    client = World().client("a")
    stored = record_store(client)

    with pytest.raises(UsageError, match="no fencing token left"):
        stored.write(replace(RECORD, fence=2**63), over=stored.read())

    assert client.count("write") == 0


@pytest.mark.example
def test_the_highest_fence_is_remembered_over_a_deleted_or_older_record() -> None:
    world = World()
    stored = record_store(world.client("a"))
    stored.write(RECORD, over=stored.read())
    del world.bucket.objects[PATHS.record]

    assert stored.read() == VersionedRecord(record=None, generation=0)
    assert stored.fence_seen == RECORD.fence
    stored.write(replace(RECORD, fence=7, holders=(), history=()), over=stored.known)
    assert stored.fence_seen == RECORD.fence


@pytest.mark.example
def test_what_is_made_uncertain_is_read_before_its_next_use() -> None:
    client = World().client("a")
    stored = record_store(client)
    stored.read()

    stored.invalidate()
    stored.current()

    assert client.count("read") == 2
