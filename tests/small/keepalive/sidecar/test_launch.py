"""A keeper's container is launched without waiting for ever."""

import threading
from dataclasses import replace

import pytest

from gcs_ci_lock.keepalive import KeepAlive
from gcs_ci_lock.keepalive.sidecar.errors import SidecarUnavailable
from gcs_ci_lock.keepalive.sidecar.keeper_container import KeeperContainer
from gcs_ci_lock.keepalive.sidecar.launch import LaunchAttempt, SidecarKeeper, SidecarLauncher
from gcs_ci_lock.keepalive.sidecar.messages import KeeperStatus
from gcs_ci_lock.protocol.record import LossReason
from tests.contracts.keepalive_contract import KeepAliveContract
from tests.support.fakes import Client, FakeClock, FakeStop, World
from tests.support.keepalives import OWN_CONTAINER, FakeContainer, FakeEngine
from tests.support.samples import LEASE_REF, SPEC

# After so many seconds something hangs.
WITHIN = 30.0


class HastyClock(FakeClock):
    """A clock that goes on at every look."""

    def boottime(self) -> float:
        self.now += 10.0
        return self.now


class HangingEngine:
    """Starts a container when it is told to, and no sooner."""

    def __init__(self) -> None:
        self.answers = threading.Event()
        self.journal: list[str] = []

    def launch(self) -> KeeperContainer:
        self.answers.wait(WITHIN)
        return FakeContainer("abc", self.journal)

    def answer(self) -> None:
        self.answers.set()
        for one in threading.enumerate():
            if one.name == "launch":
                one.join(WITHIN)


@pytest.fixture
def client() -> Client:
    return World().client("a")


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


def launcher_of(engine: FakeEngine, client: Client) -> SidecarLauncher:
    return SidecarLauncher(
        engine=engine,
        own_container=OWN_CONTAINER,
        step="step-1",
        stop=client.stop,
        clock=client.clock,
    )


def keeper_of(engine: FakeEngine, client: Client) -> SidecarKeeper:
    keeper = client.keeper(client.hold(), max_hold=600.0)
    return SidecarKeeper(launcher_of(engine, client), SPEC, keeper)


@pytest.mark.contract
class TestContract(KeepAliveContract):
    @pytest.fixture
    def keepalive(self, engine: FakeEngine, client: Client) -> KeepAlive:
        self.client, self.engine = client, engine
        return keeper_of(engine, client)

    def pass_time(self, keepalive: KeepAlive, seconds: float) -> None:  # noqa: ARG002
        self.client.clock.sleep(seconds)

    def renews(self, keepalive: KeepAlive) -> bool:  # noqa: ARG002
        return any(container.runs for container in self.engine.containers.values())


@pytest.mark.example
def test_a_keeper_gets_its_spec_and_the_step_that_started_it(
    engine: FakeEngine, client: Client
) -> None:
    launcher_of(engine, client).launch(SPEC)

    assert engine.specs == [SPEC]
    assert engine.steps == {SPEC.lease_ref.lease: "step-1"}


@pytest.mark.example
def test_a_container_goes_on_while_the_process_pauses_and_is_started_once(
    engine: FakeEngine, client: Client
) -> None:
    keepalive = keeper_of(engine, client)

    keepalive.start()
    keepalive.pause()
    keepalive.start()

    assert engine.specs == [SPEC]
    assert engine.journal == []


@pytest.mark.example
def test_only_the_container_knows_of_a_loss_once_it_renews(
    engine: FakeEngine, client: Client
) -> None:
    keepalive = keeper_of(engine, client)
    before = keepalive.reported_loss()
    keepalive.start()
    client.clock.sleep(81.0)
    early = keepalive.reported_loss()
    (container,) = engine.containers.values()
    container.end(KeeperStatus(phase="lost", reason="token 41 …", loss=LossReason.EVICTED))

    late = keepalive.reported_loss()

    assert keepalive.lost() is None
    assert before is None
    assert early is None
    assert late is not None
    assert late.reason is LossReason.EVICTED


@pytest.mark.fault
def test_an_engine_that_refuses_is_an_error(engine: FakeEngine, client: Client) -> None:
    engine.trouble = SidecarUnavailable("the Docker engine refused")
    keepalive = keeper_of(engine, client)

    with pytest.raises(SidecarUnavailable, match="refused"):
        keepalive.start()

    keepalive.stop()
    assert engine.journal == []


@pytest.mark.fault
def test_an_engine_that_hangs_is_given_up_and_what_it_starts_late_is_removed() -> None:
    engine, clock = HangingEngine(), HastyClock()

    with pytest.raises(SidecarUnavailable, match="not started the keeper within 20 s"):
        LaunchAttempt(engine.launch).result(FakeStop(clock), clock, within=20.0)
    engine.answer()

    assert engine.journal == ["remove abc"]


@pytest.mark.fault
def test_a_stop_ends_the_launch_and_what_it_starts_late_is_removed() -> None:
    engine, clock = HangingEngine(), FakeClock()
    stop = FakeStop(clock)
    stop.set()

    assert LaunchAttempt(engine.launch).result(stop, clock, within=20.0) is None
    engine.answer()

    assert engine.journal == ["remove abc"]


@pytest.mark.example
def test_a_short_lease_gives_its_launch_less_time() -> None:
    class Slow(FakeEngine):
        def start(self, *_: object, **__: object) -> KeeperContainer:
            hanging.answers.wait(WITHIN)
            return FakeContainer(LEASE_REF.lease, hanging.journal)

    hanging = HangingEngine()
    client = World().client("a")
    client.clock = HastyClock()
    spec = SPEC.granted(replace(SPEC.lease_ref, ttl_s=30.0))

    with pytest.raises(SidecarUnavailable, match="within 20 s"):
        launcher_of(Slow(), client).launch(spec)
    hanging.answer()
