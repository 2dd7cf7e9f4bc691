"""Nobody renews a lease that is as long as max-hold needs."""

import pytest

from gcs_ci_lock.keepalive import KeepAlive
from gcs_ci_lock.keepalive.no_keeper import NoKeeper
from gcs_ci_lock.protocol.timing import Timing
from tests.contracts.keepalive_contract import KeepAliveContract
from tests.support.fakes import Client, World


@pytest.fixture
def client() -> Client:
    return World().client("a")


@pytest.mark.contract
class TestContract(KeepAliveContract):
    @pytest.fixture
    def keepalive(self, client: Client) -> KeepAlive:
        self.client = client
        return NoKeeper(client.keeper(client.hold(), max_hold=600.0))

    def pass_time(self, keepalive: KeepAlive, seconds: float) -> None:  # noqa: ARG002
        self.client.clock.sleep(seconds)

    def renews(self, keepalive: KeepAlive) -> bool:  # noqa: ARG002
        return self.client.count("write") > 1


@pytest.mark.example
def test_a_lease_without_renewal_holds_until_max_hold_without_a_request(client: Client) -> None:
    client.timing = client.lock.timing = Timing.without_renewal(600.0)
    keepalive = NoKeeper(client.keeper(client.hold(), max_hold=600.0))
    before = len(client.store.requests)

    keepalive.start()
    client.clock.sleep(599.0)
    early = keepalive.lost()
    client.clock.sleep(1.0)
    late = keepalive.lost()

    assert early is None
    assert late is not None
    assert late.max_hold_over
    assert len(client.store.requests) == before
