"""Stand-ins for what renews a lease: a keep-alive, a keeper's container and a Docker engine."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from gcs_ci_lock.keepalive.held import HeldLock
from gcs_ci_lock.keepalive.sidecar.engine import Engine
from gcs_ci_lock.keepalive.sidecar.errors import SidecarUnavailable
from gcs_ci_lock.keepalive.sidecar.keeper_container import KeeperContainer, KeeperOutput
from gcs_ci_lock.keepalive.sidecar.messages import KeeperSpec, KeeperStatus
from gcs_ci_lock.keepalive.sidecar.own_container import OwnContainer
from gcs_ci_lock.locking.lease import Lost
from gcs_ci_lock.locking.outcome import Acquired
from gcs_ci_lock.locking.request import LockRequest
from gcs_ci_lock.wiring import Connection
from tests.support.fakes import PATHS, Client

FOLDER = {
    "Type": "bind",
    "Source": "/home/runner/workflow",
    "Destination": "/github/workflow",
}
OWN_CONTAINER = OwnContainer(image="sha256:1f", network="bridge", labels={}, folder=FOLDER)


@dataclass
class FakeKeepAlive:
    """A `KeepAlive` that notes what is asked of it.

    Attributes:
        journal: the calls, in order; may be shared.
        loss: what `lost` returns.
        is_stuck: likewise.
        trouble: what `start` raises, or None.
    """

    journal: list[str] = field(default_factory=list)
    loss: Lost | None = None
    is_stuck: bool = False
    trouble: SidecarUnavailable | None = None

    def start(self) -> None:
        self.journal.append("start")
        if self.trouble is not None:
            raise self.trouble

    def pause(self) -> None:
        self.journal.append("pause")

    def stop(self) -> None:
        self.journal.append("stop")

    def lost(self) -> Lost | None:
        return self.loss


class FakeContainer(KeeperContainer):
    """A keeper's container that renews nothing."""

    def __init__(self, lease: str, journal: list[str]) -> None:
        self._lease = lease
        self._journal = journal
        self._runs = True
        self.status: KeeperStatus | None = KeeperStatus(phase="keeping", beats=1)
        self.lines: Sequence[str] = ()

    @property
    def lease(self) -> str:
        return self._lease

    @property
    def runs(self) -> bool:
        return self._runs

    def end(self, status: KeeperStatus | None = None) -> None:
        """Let it end by itself, with its last status."""
        self._runs = False
        self.status = status

    def output(self) -> KeeperOutput:
        return KeeperOutput(status=self.status, lines=self.lines)

    def stop(self) -> KeeperOutput:
        self._journal.append(f"stop {self._lease}")
        self._runs = False
        return self.output()

    def remove(self) -> None:
        self._journal.append(f"remove {self._lease}")
        self._runs = False


class FakeEngine(Engine):
    """A Docker engine in memory.

    Attributes:
        journal: the containers that were stopped or removed, in order; may be shared.
        containers: the keepers, by lease.
        specs: what each was started with, in order.
        steps: the step that started each, by lease.
        trouble: what every request raises, or None.
        start_trouble: what the start of a container raises, or None.
    """

    def __init__(self, journal: list[str] | None = None) -> None:
        self.journal = [] if journal is None else journal
        self.containers: dict[str, FakeContainer] = {}
        self.specs: list[KeeperSpec] = []
        self.steps: dict[str, str] = {}
        self.trouble: SidecarUnavailable | None = None
        self.start_trouble: SidecarUnavailable | None = None

    def connected(self) -> Engine:
        """Return itself, as `wiring.connect_engine` does."""
        self._answer()
        return self

    def own_container(self, *, mark: str, event: str) -> OwnContainer:  # noqa: ARG002
        self._answer()
        return OWN_CONTAINER

    def start(
        self,
        home: OwnContainer,  # noqa: ARG002
        spec: KeeperSpec,
        *,
        step: str,
    ) -> KeeperContainer:
        self._answer()
        if self.start_trouble is not None:
            raise self.start_trouble
        container = FakeContainer(spec.lease_ref.lease, self.journal)
        self.containers[container.lease] = container
        self.steps[container.lease] = step
        self.specs.append(spec)
        return container

    def find_keeper(self, lease: str) -> KeeperContainer | None:
        self._answer()
        return self.containers.get(lease)

    def find_keepers_of_step(
        self,
        step: str,
        home: OwnContainer,  # noqa: ARG002
    ) -> list[KeeperContainer]:
        self._answer()
        return [one for lease, one in self.containers.items() if self.steps[lease] == step]

    def _answer(self) -> None:
        if self.trouble is not None:
            raise self.trouble


def connection_of(client: Client) -> Connection:
    """Return a client's bucket as `wiring.connect` does."""
    return Connection(
        store=client.store,
        clock=client.clock,
        server_clock=client.server_clock,
        random=client.random,
    )


def request_of(client: Client) -> LockRequest:
    """Return what a client asks for by default."""
    return LockRequest(paths=PATHS, owner=client.owner, timing=client.timing)


def held_by_client(
    client: Client, keepalive: FakeKeepAlive, acquired: Acquired | None = None
) -> HeldLock:
    """Return the lock as a client holds it."""
    return HeldLock(
        client.lock,
        request_of(client),
        acquired or client.hold(),
        keepalive,
        random=client.random,
    )
