"""The docker client library in memory: what the engine's adapter uses of it, and no more."""

import os
import struct
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from docker.errors import APIError, NotFound

STDOUT, STDERR = 1, 2
# After so many seconds something hangs.
WITHIN = 30.0


def frame(stream: int, text: str) -> bytes:
    """Return a piece of a container's output as an engine sends it to who is attached."""
    data = text.encode()
    return struct.pack(">BxxxL", stream, len(data)) + data


class FakeSocket:
    """A connection to the standard streams of a container: a pipe, for docker polls it.

    Attributes:
        sent: what was written to its standard input.
        closed: whether that was ended.
    """

    def __init__(self, frames: Iterable[bytes], *, ends: bool) -> None:
        self._reading, self._writing = os.pipe()
        for one in frames:
            os.write(self._writing, one)
        if ends:
            os.close(self._writing)
        self.sent = b""
        self.closed = False

    def sendall(self, data: bytes) -> None:
        self.sent += data

    def shutdown(self, _how: int) -> None:
        self.closed = True

    def fileno(self) -> int:
        return self._reading

    def recv(self, size: int) -> bytes:
        return os.read(self._reading, size)


@dataclass
class FakeDockerContainer:
    """A container as docker's models have it.

    Attributes:
        out: its standard output so far; `err` likewise.
        frames: what it prints after its start, as frames.
        ends: whether its output ends after that.
        trouble: what each request raises, or None.
        on_kill: called when it gets a signal.
        gone_after: how often it is still found after its removal.
    """

    labels: dict[str, str] = field(default_factory=dict)
    status: str = "running"
    out: bytes = b""
    err: bytes = b""
    frames: list[bytes] = field(default_factory=list)
    ends: bool = True
    trouble: Exception | None = None
    on_kill: Callable[[], object] = int
    gone_after: int = 0
    attrs: dict[str, Any] = field(default_factory=lambda: {"Mounts": []})
    requests: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._ended = threading.Event()
        self.socket: FakeSocket = FakeSocket(self.frames, ends=self.ends)

    def start(self) -> None:
        self._asked("start")

    def kill(self, *, signal: str) -> None:
        self._asked(f"kill {signal}")
        self.on_kill()
        self._ended.set()

    def remove(self, *, force: bool) -> None:
        self._ended.set()
        self._asked(f"remove force={force}")

    def reload(self) -> None:
        self._asked("reload")
        if self.gone_after == 0:
            message = "no such container"
            raise NotFound(message)
        self.gone_after -= 1

    def logs(self, *, stdout: bool, follow: bool, **_: object) -> Iterator[bytes]:
        self._asked(f"logs follow={follow}")
        return self._read(stdout=stdout, follow=follow)

    def _read(self, *, stdout: bool, follow: bool) -> Iterator[bytes]:
        if follow:
            # A container prints until it ends.
            self._ended.wait(WITHIN)
        yield self.out if stdout else self.err

    def attach_socket(self, *, params: Mapping[str, int]) -> FakeSocket:
        self._asked(f"attach {sorted(params)}")
        return self.socket

    def _asked(self, what: str) -> None:
        self.requests.append(what)
        if self.trouble is not None:
            raise self.trouble


@dataclass
class FakeApi:
    """The engine's own API.

    Attributes:
        inspected: what is known of each container, by its id.
        ours: the container in which our files are.
    """

    inspected: dict[str, dict[str, Any]] = field(default_factory=dict)
    ours: str = ""
    paths: list[str] = field(default_factory=list)

    def containers(self, *, filters: Mapping[str, str]) -> list[dict[str, str]]:
        assert filters
        return [{"Id": one} for one in self.inspected]

    def get_archive(self, container: str, path: str) -> tuple[Any, object]:
        self.paths.append(path)
        if container != self.ours:
            message = "no such file"
            raise APIError(message)
        return _Closable(), {}

    def inspect_container(self, container: str) -> dict[str, Any]:
        return self.inspected[container]


class _Closable:
    def close(self) -> None:
        return


@dataclass
class FakeContainers:
    """The containers of an engine.

    Attributes:
        created: image, command and options of each that was made.
        new: the next that is made.
        trouble: what each request raises, or None.
    """

    new: FakeDockerContainer = field(default_factory=FakeDockerContainer)
    found: list[FakeDockerContainer] = field(default_factory=list)
    created: list[tuple[str, list[str], dict[str, Any]]] = field(default_factory=list)
    listed: list[Mapping[str, str]] = field(default_factory=list)
    trouble: Exception | None = None

    def create(self, image: str, command: list[str], **options: object) -> FakeDockerContainer:
        if self.trouble is not None:
            raise self.trouble
        self.created.append((image, command, dict(options)))
        return self.new

    def list(self, *, all: bool, filters: Mapping[str, str]) -> list[FakeDockerContainer]:  # noqa: A002 - docker's name
        assert all
        if self.trouble is not None:
            raise self.trouble
        self.listed.append(filters)
        return self.found


@dataclass
class FakeDockerClient:
    """A `docker.DockerClient`."""

    api: FakeApi = field(default_factory=FakeApi)
    containers: FakeContainers = field(default_factory=FakeContainers)
