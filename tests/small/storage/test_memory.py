"""The bucket in memory, by which everything above it is tested, keeps the contract."""

import pytest

from gcs_ci_lock.ports import ObjectStore
from gcs_ci_lock.storage.memory import MemoryBucket, MemoryStore
from gcs_ci_lock.system.clock import ObservedServerClock
from tests.contracts.store_contract import StoreContract, StrictDeleteContract
from tests.support.fakes import EPOCH, FakeClock

pytestmark = pytest.mark.contract


class TestMemoryStore(StoreContract, StrictDeleteContract):
    @pytest.fixture
    def bucket(self) -> MemoryBucket:
        return MemoryBucket(lambda: EPOCH)

    @pytest.fixture
    def server_clock(self) -> ObservedServerClock:
        return ObservedServerClock()

    @pytest.fixture
    def store(self, server_clock: ObservedServerClock, bucket: MemoryBucket) -> ObjectStore:
        return MemoryStore(bucket, clock=FakeClock(), server_clock=server_clock)

    @pytest.fixture
    def other(self, bucket: MemoryBucket) -> ObjectStore:
        return MemoryStore(bucket, clock=FakeClock(), server_clock=ObservedServerClock())
