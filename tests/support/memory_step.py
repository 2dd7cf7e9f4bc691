"""A step of the action in this process: its bucket, its engine and its stop are in memory."""

from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from gcs_ci_lock.action.acquire import Acquirer, acquire
from gcs_ci_lock.action.check import check
from gcs_ci_lock.action.hold import hold
from gcs_ci_lock.action.inputs import ActionInputs
from gcs_ci_lock.action.post import post
from gcs_ci_lock.action.release import release
from gcs_ci_lock.action.state import StepState
from gcs_ci_lock.keepalive.lease_ref import LeaseRef
from gcs_ci_lock.locking.client import LockClient
from gcs_ci_lock.locking.outcome import Stopped
from gcs_ci_lock.platforms.github import GitHubStep
from gcs_ci_lock.platforms.verifier import NoVerifier
from gcs_ci_lock.protocol.names import LockPaths
from gcs_ci_lock.protocol.record import Record
from gcs_ci_lock.protocol.record_json import decode_record
from gcs_ci_lock.storage.pinned import AMBIENT, PinnedCredentials
from gcs_ci_lock.wiring import Connection
from tests.support.fakes import PATHS, Client, World
from tests.support.keepalives import FakeEngine, connection_of
from tests.support.runner import Step, log_commands

BUCKET = "gs://acme-locks/locks"
# Of the first lease of a lock, at the first moment of a world.
TOKEN = 1_795_423_001_001


@dataclass
class MemoryJob:
    """A job whose steps share a folder of the runner, a world and an engine."""

    folder: Path
    world: World = field(default_factory=World)
    engine: FakeEngine = field(default_factory=FakeEngine)

    def step(
        self, step: str = "lock", /, *, client: Client | None = None, **inputs: str
    ) -> "MemoryStep":
        """Return one of its steps; an input's dashes are underscores here."""
        return MemoryStep(self, step, client or self.world.client(step), inputs)

    def record(self, name: str = "prod") -> Record:
        """Return the record of a lock."""
        paths = LockPaths(location=PATHS.location, name=name)
        body = self.world.bucket.objects[paths.record].body
        return decode_record(body, uri=paths.record_uri, name=name)

    def holders(self, name: str = "prod") -> list[str]:
        """Return the leases that hold a lock."""
        return [holder.lease for holder in self.record(name).holders]

    def files(self) -> list[Path]:
        """Return the lease files that the steps have left."""
        return sorted((self.folder / "workflow").glob("gcs-ci-lock-*"))


class MemoryStep:
    """One step; each of its stages reads what the runner hands on.

    Attributes:
        client: its view of the bucket; it makes the step's lease ids.
        stop: ends its waits.
        log: what it has printed.
        files: what the runner has of it.
    """

    def __init__(self, job: MemoryJob, name: str, client: Client, inputs: dict[str, str]) -> None:
        self._job = job
        self._words = count()
        self.client = client
        self.stop = client.stop
        self.log: list[str] = []
        named = {key.replace("_", "-"): value for key, value in inputs.items()}
        self.files = Step(job.folder, {"name": "prod", "bucket": BUCKET, **named}, name=name)

    @property
    def outputs(self) -> dict[str, str]:
        return self.files.outputs

    def said(self, kind: str) -> str:
        """Return the texts of all annotations of a kind."""
        commands = log_commands("\n".join(self.log))
        return "\n".join(command.data for command in commands if command.name == kind)

    def github(self, stage: str = "entrypoint") -> GitHubStep:
        """Return the runner as a stage sees it."""
        return GitHubStep(
            self.files.environment(stage),
            write=self.log.append,
            delimiter=lambda: f"word-{next(self._words)}",
        )

    def state(self, stage: str = "entrypoint") -> StepState:
        """Return what the step has left, as a stage sees it."""
        return StepState(self.github(stage), self.files.environment(stage))

    def connect(self, _bucket: str) -> Connection:
        return connection_of(self.client)

    def open_lease(
        self,
        lease_ref: LeaseRef,
        *,
        pinned: PinnedCredentials | None,  # noqa: ARG002
    ) -> tuple[Connection, LockClient]:
        connection = connection_of(self.client)
        return connection, connection.lock(lease_ref.paths, lease_ref.timing)

    def acquirer(self) -> Acquirer:
        """Return what the step acquires with."""
        step = self.github()
        return Acquirer(
            step=step,
            inputs=ActionInputs.of(step, self.files.environment("entrypoint")),
            state=StepState(step, self.files.environment("entrypoint")),
            credentials=AMBIENT,
            connect=self.connect,
            verifier=NoVerifier(),
            clock=self.client.clock,
            stop=self.stop,
        )

    def acquire(self) -> int | Stopped:
        return acquire(self.acquirer(), engine=self._job.engine.connected)

    def hold(self) -> int | Stopped:
        return hold(self.acquirer())

    def check(self) -> int:
        return check(
            self.github(),
            state=self.state(),
            engine=self._job.engine.connected,
            open_lease=self.open_lease,
        )

    def release(self) -> int:
        return release(
            self.github(),
            state=self.state(),
            engine=self._job.engine.connected,
            open_lease=self.open_lease,
        )

    def post(self) -> int:
        stage = "entrypoint-post"
        return post(
            self.github(stage),
            state=self.state(stage),
            event_path=self.files.environment(stage)["GITHUB_EVENT_PATH"],
            engine=self._job.engine.connected,
            open_lease=self.open_lease,
            random=self.client.random,
        )
