"""What every `ports.ObjectStore` promises; `small/` and `medium/` each run it on their own."""

import math
from abc import abstractmethod
from datetime import datetime

import pytest

from gcs_ci_lock.errors import PreconditionFailed, StoreError
from gcs_ci_lock.ports import NotFound, NotModified, ObjectInfo, ObjectRead, ObjectStore
from gcs_ci_lock.system.clock import ObservedServerClock

TIMEOUT = 5.0
LIMIT = 1000


class StoreContract:
    """Fill `store` and `server_clock`; every test begins with an empty bucket."""

    @pytest.fixture
    @abstractmethod
    def server_clock(self) -> ObservedServerClock:
        """Return the clock that the store feeds."""

    @pytest.fixture
    @abstractmethod
    def store(self, server_clock: ObservedServerClock) -> ObjectStore:
        """Return a client of an empty bucket."""

    @pytest.fixture
    @abstractmethod
    def other(self) -> ObjectStore:
        """Return another client of the same bucket."""

    def test_an_object_that_is_not_there_is_missing(self, store: ObjectStore) -> None:
        assert store.read("a/x", known=None, limit=LIMIT, timeout=TIMEOUT) == NotFound()
        assert store.read("a/x", known=7, limit=LIMIT, timeout=TIMEOUT) == NotFound()

    @pytest.mark.parametrize("body", [b"", b'{"a": 1}', bytes(range(256)), b"x" * LIMIT])
    def test_what_is_written_is_what_is_read(
        self, store: ObjectStore, other: ObjectStore, body: bytes
    ) -> None:
        entry = store.write("a/x", body, generation=0, timeout=TIMEOUT)

        found = other.read("a/x", known=None, limit=LIMIT, timeout=TIMEOUT)

        assert found == ObjectRead(body=body, generation=entry.generation)

    def test_an_object_larger_than_the_limit_is_found_without_its_body(
        self, store: ObjectStore
    ) -> None:
        store.write("a/x", b"x" * (LIMIT + 1), generation=0, timeout=TIMEOUT)

        found = store.read("a/x", known=None, limit=LIMIT, timeout=TIMEOUT)

        assert found == ObjectRead(body=None, generation=0)

    def test_a_generation_that_is_known_is_not_sent_again(self, store: ObjectStore) -> None:
        entry = store.write("a/x", b"1", generation=0, timeout=TIMEOUT)

        same = store.read("a/x", known=entry.generation, limit=LIMIT, timeout=TIMEOUT)
        newer = store.write("a/x", b"2", generation=entry.generation, timeout=TIMEOUT)
        changed = store.read("a/x", known=entry.generation, limit=LIMIT, timeout=TIMEOUT)

        assert same == NotModified()
        assert changed == ObjectRead(body=b"2", generation=newer.generation)

    def test_only_the_first_creates(self, store: ObjectStore, other: ObjectStore) -> None:
        first = store.write("a/x", b"1", generation=0, timeout=TIMEOUT)

        with pytest.raises(PreconditionFailed):
            other.write("a/x", b"2", generation=0, timeout=TIMEOUT)

        found = other.read("a/x", known=None, limit=LIMIT, timeout=TIMEOUT)
        assert found == ObjectRead(body=b"1", generation=first.generation)

    def test_only_the_generation_that_is_there_is_replaced(
        self, store: ObjectStore, other: ObjectStore
    ) -> None:
        first = store.write("a/x", b"1", generation=0, timeout=TIMEOUT)
        second = other.write("a/x", b"2", generation=first.generation, timeout=TIMEOUT)

        with pytest.raises(PreconditionFailed):
            store.write("a/x", b"3", generation=first.generation, timeout=TIMEOUT)

        found = store.read("a/x", known=None, limit=LIMIT, timeout=TIMEOUT)
        assert found == ObjectRead(body=b"2", generation=second.generation)

    def test_an_object_that_is_gone_is_not_replaced(
        self, store: ObjectStore, other: ObjectStore
    ) -> None:
        entry = store.write("a/x", b"1", generation=0, timeout=TIMEOUT)
        other.delete("a/x", generation=entry.generation, timeout=TIMEOUT)

        with pytest.raises(PreconditionFailed):
            store.write("a/x", b"2", generation=entry.generation, timeout=TIMEOUT)

        assert store.read("a/x", known=None, limit=LIMIT, timeout=TIMEOUT) == NotFound()

    def test_an_object_that_never_was_is_not_replaced(self, store: ObjectStore) -> None:
        with pytest.raises(PreconditionFailed):
            store.write("a/x", b"1", generation=7, timeout=TIMEOUT)

        assert store.read("a/x", known=None, limit=LIMIT, timeout=TIMEOUT) == NotFound()

    def test_an_object_made_anew_is_not_the_one_that_was_there(
        self, store: ObjectStore, other: ObjectStore
    ) -> None:
        old = store.write("a/x", b"1", generation=0, timeout=TIMEOUT)
        other.delete("a/x", generation=old.generation, timeout=TIMEOUT)
        new = other.write("a/x", b"1", generation=0, timeout=TIMEOUT)

        with pytest.raises(PreconditionFailed):
            store.write("a/x", b"2", generation=old.generation, timeout=TIMEOUT)

        found = store.read("a/x", known=old.generation, limit=LIMIT, timeout=TIMEOUT)
        assert found == ObjectRead(body=b"1", generation=new.generation)

    def test_a_generation_never_comes_back(self, store: ObjectStore) -> None:
        seen = set()
        for _ in range(5):
            entry = store.write("a/x", b"1", generation=0, timeout=TIMEOUT)
            seen.add(entry.generation)
            store.delete("a/x", generation=entry.generation, timeout=TIMEOUT)

        assert len(seen) == 5
        assert 0 not in seen

    def test_a_listing_holds_what_is_below_the_prefix_in_order(self, store: ObjectStore) -> None:
        for path in ("a/q/2", "a/q/1", "a/r/1", "a/q", "b"):
            store.write(path, b"", generation=0, timeout=TIMEOUT)

        entries = store.list("a/q/", timeout=TIMEOUT)

        assert [entry.path for entry in entries] == ["a/q/1", "a/q/2"]

    def test_an_empty_listing_is_empty(self, store: ObjectStore) -> None:
        assert list(store.list("a/q/", timeout=TIMEOUT)) == []

    def test_metadata_comes_back_whole(self, store: ObjectStore, other: ObjectStore) -> None:
        metadata = {"owner": '{"actor": "al\\"ice"}', "slots": "unlimited", "x": "a b%2f+&=,;"}

        written = store.write("a/q/1", b"", generation=0, metadata=metadata, timeout=TIMEOUT)
        (listed,) = other.list("a/q/", timeout=TIMEOUT)

        assert dict(written.metadata) == dict(listed.metadata) == metadata
        assert written.generation == listed.generation
        assert (written.path, listed.path) == ("a/q/1", "a/q/1")

    def test_new_metadata_replaces_the_old(self, store: ObjectStore) -> None:
        first = store.write("a/q/1", b"", generation=0, metadata={"a": "1"}, timeout=TIMEOUT)
        store.write("a/q/1", b"", generation=first.generation, metadata={"b": "2"}, timeout=TIMEOUT)

        (listed,) = store.list("a/q/", timeout=TIMEOUT)

        assert dict(listed.metadata) == {"b": "2"}

    def test_times_are_the_servers_and_never_fall(self, store: ObjectStore) -> None:
        first = store.write("a/q/1", b"", generation=0, timeout=TIMEOUT)
        store.write("a/q/2", b"", generation=0, timeout=TIMEOUT)

        entries = store.list("a/q/", timeout=TIMEOUT)

        assert moment(first.created_text) == moment(entries[0].created_text)
        assert moment(entries[0].created_text) <= moment(entries[1].created_text)
        assert all(moment(e.updated_text) >= moment(e.created_text) - 0.001 for e in entries)

    def test_the_time_of_creation_is_that_of_the_generation(self, store: ObjectStore) -> None:
        first = store.write("a/q/1", b"", generation=0, timeout=TIMEOUT)
        second = store.write("a/q/1", b"", generation=first.generation, timeout=TIMEOUT)

        (listed,) = store.list("a/q/", timeout=TIMEOUT)

        assert moment(second.created_text) > moment(first.created_text)
        assert listed.created_text == second.created_text

    def test_what_is_deleted_is_gone(self, store: ObjectStore, other: ObjectStore) -> None:
        entry = store.write("a/x", b"1", generation=0, timeout=TIMEOUT)

        store.delete("a/x", generation=entry.generation, timeout=TIMEOUT)

        assert other.read("a/x", known=None, limit=LIMIT, timeout=TIMEOUT) == NotFound()
        assert list(other.list("a/", timeout=TIMEOUT)) == []

    def test_deleting_what_is_gone_is_no_error(self, store: ObjectStore) -> None:
        store.delete("a/x", generation=7, timeout=TIMEOUT)

    @pytest.mark.parametrize(
        "call",
        [
            "read",
            "read of what is known",
            "read of nothing",
            "write",
            "list",
            "list of nothing",
            "delete",
            "delete of nothing",
            "refused write",
        ],
    )
    def test_every_answer_tells_the_servers_time(
        self, store: ObjectStore, other: ObjectStore, server_clock: ObservedServerClock, call: str
    ) -> None:
        entry: ObjectInfo = other.write("a/x", b"1", generation=0, timeout=TIMEOUT)
        with pytest.raises(StoreError, match="no Date header"):
            server_clock.at(0.0)

        match call:
            case "read":
                store.read("a/x", known=None, limit=LIMIT, timeout=TIMEOUT)
            case "read of what is known":
                store.read("a/x", known=entry.generation, limit=LIMIT, timeout=TIMEOUT)
            case "read of nothing":
                store.read("a/y", known=None, limit=LIMIT, timeout=TIMEOUT)
            case "write":
                store.write("a/y", b"1", generation=0, timeout=TIMEOUT)
            case "list":
                store.list("a/", timeout=TIMEOUT)
            case "list of nothing":
                store.list("b/", timeout=TIMEOUT)
            case "delete of nothing":
                store.delete("a/y", generation=7, timeout=TIMEOUT)
            case "delete":
                store.delete("a/x", generation=entry.generation, timeout=TIMEOUT)
            case _:
                with pytest.raises(PreconditionFailed):
                    store.write("a/x", b"1", generation=0, timeout=TIMEOUT)

        assert math.isfinite(server_clock.at(0.0).latest)


class StrictDeleteContract:
    """What the embedded server does not keep: it checks no precondition of a deletion."""

    def test_only_the_generation_that_is_there_is_deleted(
        self, store: ObjectStore, other: ObjectStore
    ) -> None:
        first = store.write("a/x", b"1", generation=0, timeout=TIMEOUT)
        second = other.write("a/x", b"2", generation=first.generation, timeout=TIMEOUT)

        with pytest.raises(PreconditionFailed):
            store.delete("a/x", generation=first.generation, timeout=TIMEOUT)

        found = store.read("a/x", known=None, limit=LIMIT, timeout=TIMEOUT)
        assert found == ObjectRead(body=b"2", generation=second.generation)


def moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
