"""The command line in this process: its bucket, its clock and its signals are in memory."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from gcs_ci_lock.cli import acquire, freeze, keep, lease, progress, run
from gcs_ci_lock.cli.app import app
from gcs_ci_lock.locking.lease import Lost
from gcs_ci_lock.protocol.names import LockPaths
from gcs_ci_lock.protocol.record import Record
from gcs_ci_lock.protocol.record_json import decode_record
from gcs_ci_lock.system.child import ChildExited
from tests.support.fakes import PATHS, Client, FakeStop, World
from tests.support.keepalives import connection_of
from tests.support.shell import Ended


class FakeSignals(FakeStop):
    """The signals of a process: SIGTERM arrives when it is set."""

    @property
    def number(self) -> int | None:
        return 15 if self.is_set() else None

    @property
    def exit_code(self) -> int:
        return 143


@dataclass
class FakeChild:
    """A command that does in this process what a test says.

    Attributes:
        work: what it does; returns its exit code.
        argv: the command, once it was started.
        environ: what it sees.
    """

    work: Callable[[], int] = int
    argv: Sequence[str] = ()
    environ: Mapping[str, str] = field(default_factory=dict)

    def start(self, argv: Sequence[str], environ: Mapping[str, str]) -> "FakeChild":
        self.argv, self.environ = argv, environ
        return self

    def supervise(self, lost: Callable[[], Lost | None], **_: object) -> ChildExited | Lost:
        exit_code = self.work()
        return lost() or ChildExited(exit_code=exit_code)


class MemoryShell:
    """One person at one machine.

    Attributes:
        client: what the commands see of the bucket; may be replaced.
        signals: those of the command that runs.
        child: the command of `run`.
        environ: the environment.
        verbose: whether the last connection was to log its requests.
    """

    def __init__(self, patch: pytest.MonkeyPatch, folder: Path) -> None:
        self.world = World()
        self.client: Client = self.world.client("me")
        self.signals = FakeSignals(self.world.clock)
        self.child = FakeChild()
        self.folder = folder
        self.environ: dict[str, str] = {}
        self.verbose = False
        for module in (acquire, run, lease, freeze, keep, progress):
            patch.setattr(module, "os", SimpleNamespace(environ=self.environ))
        for module in (run, lease, keep):
            signals = SimpleNamespace(installed=lambda **_: self.signals)
            patch.setattr(module, "SignalStop", signals)
        for module in (acquire, lease, keep):
            patch.setattr(module, "SystemClock", lambda: self.world.clock)
        patch.setattr(acquire, "connect", self._connect)
        patch.setattr(run, "Child", self.child)

    def type(self, *words: str) -> Ended:
        """Type a command; return how it ended."""
        result = CliRunner().invoke(app, [*words], catch_exceptions=False)
        return Ended(result.exit_code, result.stdout.encode(), result.stderr.encode())

    def lock(self, command: str, name: str = "prod", *words: str) -> Ended:
        """Type a command for a lock of the bucket."""
        return self.type(command, name, "--bucket", "gs://acme-locks", *words)

    def record(self, name: str = "prod") -> Record:
        paths = LockPaths(location=PATHS.location, name=name)
        body = self.world.bucket.objects[paths.record].body
        return decode_record(body, uri=paths.record_uri, name=name)

    def holders(self, name: str = "prod") -> list[str]:
        return [holder.lease for holder in self.record(name).holders]

    def _connect(self, _bucket: str, *, log: object, **_: Any) -> object:  # noqa: ANN401
        self.verbose = log is not None
        return connection_of(self.client)
