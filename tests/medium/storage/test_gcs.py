"""The store on Google's client, against a real server: the contract, races, and what it costs."""

import itertools
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from gcs_ci_lock.dry_run.emulator import EmbeddedServer
from gcs_ci_lock.errors import BucketMissing, PreconditionFailed
from gcs_ci_lock.keepalive.adopted import end_lease
from gcs_ci_lock.keepalive.lease_ref import LeaseRef
from gcs_ci_lock.locking.acquisition import Acquisition
from gcs_ci_lock.locking.client import LockClient
from gcs_ci_lock.locking.outcome import Acquired, Released
from gcs_ci_lock.locking.request import LockRequest
from gcs_ci_lock.platforms.verifier import NoVerifier
from gcs_ci_lock.ports import NotFound, ObjectRead, ObjectStore, ServerClock
from gcs_ci_lock.protocol.names import Location, LockPaths
from gcs_ci_lock.protocol.record import Owner
from gcs_ci_lock.protocol.timing import Timing
from gcs_ci_lock.report.wait_log import WaitLog, print_lines
from gcs_ci_lock.system.clock import SystemRandom
from gcs_ci_lock.wiring import Connection, connect
from tests.contracts.store_contract import StoreContract
from tests.support.bucket import TestBucket

BUCKETS = itertools.count()


def connection_to(
    endpoint: str, bucket: str, log: Callable[[str], None] | None = None
) -> Connection:
    return connect(bucket, endpoint=endpoint, environ={}, log=log)


def client(endpoint: str, bucket: str, log: Callable[[str], None] | None = None) -> ObjectStore:
    return connection_to(endpoint, bucket, log).store


@pytest.mark.contract
class TestGcsStore(StoreContract):
    @pytest.fixture
    def empty_bucket(self, server: EmbeddedServer) -> str:
        name = f"bucket-{next(BUCKETS)}"
        server.create_bucket(name)
        return name

    @pytest.fixture
    def connection(self, server: EmbeddedServer, empty_bucket: str) -> Connection:
        return connection_to(server.endpoint, empty_bucket)

    @pytest.fixture
    def server_clock(self, connection: Connection) -> ServerClock:
        return connection.server_clock

    @pytest.fixture
    def store(self, connection: Connection) -> ObjectStore:
        return connection.store

    @pytest.fixture
    def other(self, server: EmbeddedServer, empty_bucket: str) -> ObjectStore:
        return client(server.endpoint, empty_bucket)


@pytest.mark.example
def test_a_bucket_that_does_not_exist_is_named(server: EmbeddedServer) -> None:
    store = client(server.endpoint, "no-such-bucket")

    with pytest.raises(BucketMissing, match='bucket "no-such-bucket" does not exist'):
        store.write("a/x", b"1", generation=0, timeout=5)
    with pytest.raises(BucketMissing, match="gcloud storage buckets create gs://no-such-bucket"):
        store.list("a/", timeout=5)


@pytest.mark.example
def test_in_a_bucket_that_does_not_exist_the_embedded_server_reads_as_in_an_empty_one(
    server: EmbeddedServer,
) -> None:
    store = client(server.endpoint, "no-such-bucket")

    # Cloud Storage itself names the bucket here too; the fault tests show that.
    assert store.read("a/x", known=None, limit=10, timeout=5) == NotFound()
    store.delete("a/x", generation=7, timeout=5)


@pytest.mark.example
def test_a_listing_of_many_pages_is_whole(bucket: TestBucket) -> None:
    store = client(bucket.endpoint, bucket.bucket)
    paths = [f"{bucket.prefix}/{number:04}" for number in range(1100)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda path: store.write(path, b"", generation=0, timeout=10), paths))

    entries = store.list(f"{bucket.prefix}/", timeout=10)

    assert [entry.path for entry in entries] == paths


@pytest.mark.example
def test_of_many_writers_of_one_generation_one_wins(bucket: TestBucket) -> None:
    path, writers, rounds = f"{bucket.prefix}/x", 16, 25
    stores = [client(bucket.endpoint, bucket.bucket) for _ in range(writers)]
    together = threading.Barrier(writers)
    known = 0

    def attempt(store: ObjectStore) -> int:
        together.wait()
        try:
            return store.write(path, b"1", generation=known, timeout=10).generation
        except PreconditionFailed:
            return 0

    with ThreadPoolExecutor(writers) as pool:
        for _ in range(rounds):
            won = [generation for generation in pool.map(attempt, stores) if generation]
            assert len(won) == 1
            known = won[0]


class Costs:
    """A lock whose requests are counted on their way out."""

    def __init__(self, bucket: TestBucket) -> None:
        self.requests: list[str] = []
        self.bucket = bucket
        self.paths = LockPaths(
            location=Location(bucket=bucket.bucket, prefix=bucket.prefix), name="prod"
        )

    def connection(self) -> Connection:
        return connect(
            self.bucket.bucket,
            endpoint=self.bucket.endpoint,
            environ={},
            log=self.requests.append,
        )

    def acquire(self) -> tuple[LockClient, Acquired]:
        connection = self.connection()
        timing = Timing.for_ttl(120.0)
        lock = connection.lock(self.paths, timing)
        request = LockRequest(paths=self.paths, owner=Owner(), timing=timing)
        progress = WaitLog(print_lines(print), clock=connection.clock, on_claim=print)
        acquired = Acquisition(
            lock,
            request,
            random=SystemRandom(),
            stop=threading.Event(),
            observer=progress,
            verifier=NoVerifier(),
        ).run()
        assert isinstance(acquired, Acquired)
        return lock, acquired

    def taken(self) -> list[str]:
        """Return the methods of the requests since the last call."""
        methods = [line.split()[0] for line in self.requests]
        self.requests.clear()
        return methods


@pytest.mark.example
def test_what_a_lock_costs_in_requests(bucket: TestBucket) -> None:
    costs = Costs(bucket)

    lock, acquired = costs.acquire()
    assert costs.taken() == ["GET", "POST"]

    renewed = lock.renew(acquired.lease)
    assert costs.taken() == ["POST"]

    released = lock.release(acquired.lease.id)
    assert isinstance(released, Released)
    assert costs.taken() == ["POST"]
    assert renewed != acquired.lease

    # Somebody may be waiting now: the queue is listed.
    lock, acquired = costs.acquire()
    assert costs.taken() == ["GET", "GET", "POST"]

    lease_ref = LeaseRef(
        bucket=bucket.uri,
        name="prod",
        lease=acquired.lease.id,
        token=acquired.lease.token,
        ttl_s=120.0,
        max_hold_s=60.0,
        keeper="process",
        endpoint=bucket.endpoint,
    )
    connection = costs.connection()
    end_lease(connection.lock(costs.paths, lease_ref.timing), lease_ref, random=SystemRandom())
    assert costs.taken() == ["GET", "POST"]


@pytest.mark.example
def test_the_log_tells_each_request_with_its_answer_and_no_header(bucket: TestBucket) -> None:
    lines: list[str] = []
    store = client(bucket.endpoint, bucket.bucket, log=lines.append)

    missing = store.read(f"{bucket.prefix}/x", known=None, limit=10, timeout=5)
    store.write(f"{bucket.prefix}/x", b"1", generation=0, timeout=5)

    assert missing == NotFound()
    assert re.fullmatch(r"GET http://127\.0\.0\.1:\d+/\S+ -> 404 in \d+ ms", lines[0])
    assert re.fullmatch(r"POST http://127\.0\.0\.1:\d+/\S+ -> 200 in \d+ ms", lines[1])
    assert len(lines) == 2


@pytest.mark.example
def test_a_proxy_for_the_world_does_not_see_what_stays_on_this_machine(
    bucket: TestBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    store = client(bucket.endpoint, bucket.bucket)

    entry = store.write(f"{bucket.prefix}/x", b"1", generation=0, timeout=5)

    found = store.read(f"{bucket.prefix}/x", known=None, limit=10, timeout=5)
    assert found == ObjectRead(body=b"1", generation=entry.generation)
