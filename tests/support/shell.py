"""A person's shell: a folder of its own, a bucket, and the program."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self, cast

import requests

from gcs_ci_lock.ports import ObjectStore
from gcs_ci_lock.system.clock import SystemClock
from gcs_ci_lock.wiring import connect
from tests.support.bucket import TestBucket

PROGRAM: Final = Path(sys.executable).with_name("gcs-ci-lock")
LEASE_FILE: Final = ".gcs-ci-lock.lease"
# By this variable every process that comes from a site is found again, keepers included.
SITE: Final = "SHELL_SITE"
# After so many seconds something hangs; on a busy machine all takes longer, and that fails nothing.
WITHIN: Final = 60.0
LOOK_EVERY: Final = 0.03


def until(condition: Callable[[], object], within: float = WITHIN) -> None:
    """Wait until something is the case."""
    clock = SystemClock()
    deadline = clock.boottime() + within
    while not condition():
        assert clock.boottime() < deadline, f"it did not come about within {within:g} s"
        clock.sleep(LOOK_EVERY)


@dataclass(frozen=True)
class Ended:
    """A command that has ended."""

    exit_code: int
    stdout: bytes
    stderr: bytes

    @property
    def out(self) -> str:
        return self.stdout.decode()

    @property
    def err(self) -> str:
        return self.stderr.decode()

    @property
    def document(self) -> dict[str, Any]:
        """Return the one JSON document on standard output."""
        assert self.stdout.endswith(b"\n"), self
        assert self.stdout.count(b"\n") == 1, self
        return cast("dict[str, Any]", json.loads(self.stdout))


class Running:
    """A command in the background; what it prints goes to files."""

    def __init__(self, process: "subprocess.Popen[bytes]", stdout: Path, stderr: Path) -> None:
        self._process = process
        self._stdout = stdout
        self._stderr = stderr

    @property
    def err(self) -> str:
        return self._stderr.read_bytes().decode()

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def ended(self, within: float = WITHIN) -> Ended:
        """Wait for its end."""
        exit_code = self._process.wait(timeout=within)
        return Ended(exit_code, self._stdout.read_bytes(), self._stderr.read_bytes())


class Site:
    """One person at one machine; nothing that was started here outlives it."""

    def __init__(self, bucket: TestBucket, folder: Path) -> None:
        self.bucket = bucket
        self.folder = folder
        self._started: list[subprocess.Popen[bytes]] = []

    @property
    def endpoint(self) -> str:
        return self.bucket.endpoint

    @property
    def at(self) -> tuple[str, ...]:
        """Return the options that say where the locks are."""
        return ("--bucket", self.bucket.uri, "--endpoint", self.endpoint)

    @property
    def lease_file(self) -> Path:
        return self.folder / LEASE_FILE

    @property
    def store(self) -> ObjectStore:
        """Return the bucket as the program sees it."""
        return connect(self.bucket.bucket, endpoint=self.endpoint, environ={}).store

    def run(
        self,
        *words: str,
        stdin: bytes | None = None,
        environ: Mapping[str, str] | None = None,
        within: float = WITHIN,
    ) -> Ended:
        """Type a command and wait until it has ended and nobody holds its output open."""
        source = subprocess.DEVNULL if stdin is None else subprocess.PIPE
        with self.spawn(
            *words,
            stdin=source,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            environ=environ,
        ) as process:
            try:
                out, err = process.communicate(stdin, timeout=within)
            except BaseException:
                self.kill_all()
                raise
        return Ended(process.returncode, out, err)

    def shell(self, script: str, within: float = WITHIN) -> Ended:
        """Let a shell do something; `gcs-ci-lock` is on its path."""
        path = f"{PROGRAM.parent}{os.pathsep}{os.environ['PATH']}"
        with self.spawn(
            "-c",
            script,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            environ={"PATH": path},
            program="bash",
        ) as process:
            try:
                out, err = process.communicate(timeout=within)
            except BaseException:
                self.kill_all()
                raise
        return Ended(process.returncode, out, err)

    def start(self, *words: str, environ: Mapping[str, str] | None = None) -> Running:
        """Type a command and let it run in the background."""
        number = len(self._started)
        stdout, stderr = self.folder / f"{number}.out", self.folder / f"{number}.err"
        with stdout.open("wb") as out, stderr.open("wb") as err:
            process = self.spawn(
                *words, stdin=subprocess.DEVNULL, stdout=out, stderr=err, environ=environ
            )
        return Running(process, stdout, stderr)

    def hold(self, name: str, *options: str, environ: Mapping[str, str] | None = None) -> Running:
        """Let somebody hold a lock, and wait until it is held."""
        running = self.start("hold", name, *self.at, *options, environ=environ)
        until(lambda: "Acquired" in running.err)
        return running

    def spawn(
        self,
        *words: str,
        stdin: int,
        stdout: int | IO[bytes],
        stderr: int | IO[bytes],
        environ: Mapping[str, str] | None = None,
        program: str = str(PROGRAM),
    ) -> "subprocess.Popen[bytes]":
        """Start the program, in a clean environment."""
        process = subprocess.Popen(
            [program, *words],
            cwd=self.folder,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.folder),
                "LC_ALL": "C.UTF-8",
                SITE: str(self.folder),
                **(environ or {}),
            },
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
        )
        self._started.append(process)
        return process

    def holders(self, name: str) -> list[dict[str, Any]]:
        """Return who holds a lock, as stored."""
        if self.bucket.body(name) is None:
            return []
        return cast("list[dict[str, Any]]", self.bucket.record(name)["holders"])

    def stored(self, name: str) -> tuple[str, bytes]:
        """Return the generation and the bytes of a lock's record."""
        path = f"{self.bucket.prefix}/{name}/lock.json".replace("/", "%2F")
        url = f"{self.endpoint}/storage/v1/b/{self.bucket.bucket}/o/{path}?alt=media"
        with requests.Session() as session:
            session.trust_env = False
            answer = session.get(url, timeout=WITHIN)
        answer.raise_for_status()
        return answer.headers["x-goog-generation"], answer.content

    def keepers(self) -> list[int]:
        """Return the background keepers that live."""
        return [pid for pid in self.processes() if b"keep" in _words(pid, "cmdline")]

    def processes(self) -> list[int]:
        """Return all that lives and comes from here, by whatever it was started."""
        mark = f"{SITE}={self.folder}".encode()
        numbers = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal())
        return [number for number in numbers if mark in _words(number, "environ")]

    def kill_all(self) -> None:
        """End all of them."""

        def none_is_left() -> bool:
            living = self.processes()
            for number in living:
                with suppress(ProcessLookupError):
                    os.kill(number, signal.SIGKILL)
            return not living

        until(none_is_left)
        for process in self._started:
            process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill_all()


def _words(pid: int, kind: str) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/{kind}").read_bytes().split(b"\0")
    except OSError:
        # It has ended meanwhile, or belongs to somebody else.
        return []


def closed_port() -> int:
    """Return a port of this machine on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
