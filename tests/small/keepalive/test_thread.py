"""A thread of this process that renews a lease."""

import threading
from collections.abc import Iterator

import pytest

from gcs_ci_lock.keepalive import KeepAlive, thread
from gcs_ci_lock.keepalive.keeper import Keeper
from gcs_ci_lock.keepalive.thread import KeeperThread
from gcs_ci_lock.protocol.record import LossReason
from gcs_ci_lock.storage.memory import Moment, Request
from tests.contracts.keepalive_contract import KeepAliveContract
from tests.support.fakes import Client, World

# After so many seconds something hangs.
WITHIN = 30.0


@pytest.fixture
def client() -> Client:
    return World().client("a")


def keeper_of(client: Client, on_attempt: threading.Event | None = None) -> Keeper:
    lease = client.hold().lease
    return Keeper(
        client.lock,
        lease,
        random=client.random,
        max_hold=600.0,
        began=lease.sent_at,
        on_attempt=None if on_attempt is None else lambda _: on_attempt.set(),
    )


def threads() -> list[str]:
    return [one.name for one in threading.enumerate() if one.name == "keeper"]


@pytest.mark.contract
class TestContract(KeepAliveContract):
    @pytest.fixture
    def keepalive(self, client: Client) -> Iterator[KeepAlive]:
        self.client = client
        keepalive = KeeperThread(keeper_of(client))
        yield keepalive
        keepalive.stop()

    def pass_time(self, keepalive: KeepAlive, seconds: float) -> None:  # noqa: ARG002
        self.client.clock.sleep(seconds)

    def renews(self, keepalive: KeepAlive) -> bool:  # noqa: ARG002
        return threads() != []


@pytest.mark.example
def test_a_renewal_that_is_due_at_once_shows_that_renewing_works(client: Client) -> None:
    attempted = threading.Event()
    keeper = keeper_of(client, attempted)

    with KeeperThread(keeper, renew_now=True):
        attempted.wait(WITHIN)

    assert keeper.renewals == 1
    assert threads() == []


@pytest.mark.example
def test_a_wait_ends_with_the_stop(client: Client) -> None:
    client.clock.after(10.0, client.stop.set)

    with KeeperThread(keeper_of(client)) as keepalive:
        assert keepalive.wait(client.stop) is None


@pytest.mark.example
def test_a_wait_ends_with_the_loss(client: Client) -> None:
    with KeeperThread(keeper_of(client)) as keepalive:
        lost = keepalive.wait(client.stop)

    assert lost is not None
    assert lost.reason is LossReason.RENEWAL_OVERDUE


@pytest.mark.example
def test_a_loss_at_the_stop_is_not_overlooked(client: Client) -> None:
    keeper = keeper_of(client)
    client.stop.set()

    with KeeperThread(keeper) as keepalive:
        client.clock.sleep(81.0)
        assert keepalive.wait(client.stop) is not None


@pytest.mark.fault
def test_a_renewal_that_hangs_is_stuck_and_delays_neither_the_pause_nor_the_loss(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = keeper_of(client)
    sent, answered = threading.Event(), threading.Event()

    def hang(_request: Request, when: Moment) -> None:
        if when == "before":
            sent.set()
            answered.wait(WITHIN)

    monkeypatch.setattr(thread, "STUCK_AFTER", 0.01 - client.timing.write_timeout)
    client.store._fault = hang  # noqa: SLF001 - from now on
    keepalive = KeeperThread(keeper, renew_now=True)
    keepalive.start()
    sent.wait(WITHIN)
    keepalive.pause()
    stuck = keepalive.is_stuck
    client.clock.sleep(81.0)
    lost = keepalive.lost()
    answered.set()
    (running,) = [one for one in threading.enumerate() if one.name == "keeper"]
    running.join(WITHIN)

    assert stuck
    assert lost is not None
    assert lost.reason is LossReason.RENEWAL_OVERDUE
    assert not keepalive.is_stuck


@pytest.mark.fault
def test_a_restart_waits_for_the_renewal_that_hangs(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = keeper_of(client)
    sent, answered = threading.Event(), threading.Event()
    in_flight: list[str] = []
    most: list[int] = []

    def hang(_request: Request, when: Moment) -> None:
        if when == "before":
            in_flight.append("request")
            most.append(len(in_flight))
            sent.set()
            answered.wait(WITHIN)
            in_flight.pop()

    monkeypatch.setattr(thread, "STUCK_AFTER", 0.01 - client.timing.write_timeout)
    client.store._fault = hang  # noqa: SLF001 - from now on
    keepalive = KeeperThread(keeper, renew_now=True)
    keepalive.start()
    sent.wait(WITHIN)
    keepalive.pause()
    keepalive.start()
    renewals_while_stuck = len(most)
    answered.set()
    keepalive.pause()
    for one in [one for one in threading.enumerate() if one.name == "keeper"]:
        one.join(WITHIN)

    assert renewals_while_stuck == 1
    assert max(most) == 1
