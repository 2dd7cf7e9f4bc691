"""A proxy in front of a storage server that loses, delays, refuses and cuts, by chance.

It speaks HTTP, so that it knows whether a request was carried out when it cuts; it has one port
for each who asks, so that one alone can be cut off.
"""

import http.client
import socket
import struct
import sys
import threading
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from types import TracebackType
from typing import Final, Literal, Self
from urllib.parse import urlsplit

from gcs_ci_lock.system.clock import SystemClock

Manner = Literal["silent", "reset"]

UPSTREAM_WITHIN: Final = 15.0
LOOK_EVERY: Final = 0.05
_OWN_HEADERS: Final = ("host", "connection", "keep-alive", "transfer-encoding", "content-length")
# Closing sends a reset, and what was not sent yet is gone.
_RESET: Final = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """How often each fault happens to a request; the rest is served well.

    Attributes:
        delayed: carried out and answered up to half a second later.
        late: carried out only when who asked has long given up.
        cut_before: the connection is cut, and the request not carried out.
        cut_after: carried out, and cut without an answer.
        half: carried out, and cut in the middle of the answer.
        dropped: carried out, and never answered.
        busy: 503, not carried out.
        busy_after: 503, carried out all the same.
    """

    delayed: float = 0.15
    late: float = 0.01
    cut_before: float = 0.02
    cut_after: float = 0.02
    half: float = 0.01
    dropped: float = 0.01
    busy: float = 0.02
    busy_after: float = 0.01

    def chosen(self, fraction: float) -> str:
        """Return the fault that a number in [0, 1) stands for, or ""."""
        for name in Rates.__slots__:
            fraction -= float(getattr(self, name))
            if fraction < 0:
                return name
        return ""


class ChaosProxy:
    """Passes requests on to a server, or does not; in threads of this process."""

    def __init__(self, upstream: str, *, ports: int, seed: int, rates: Rates) -> None:
        """Listen; nothing is served before it is entered.

        Args:
            upstream: the server's URL.
            ports: how many there are.
            seed: of the faults.
            rates: of the faults.
        """
        self.counts = Counter[str]()
        self.closing = threading.Event()
        parts = urlsplit(upstream)
        self.upstream = (parts.hostname or "", parts.port or 80)
        self._clock = SystemClock()
        self._chance = Random(seed)
        self._rates = rates
        self._guard = threading.Lock()
        self._gates = [_Gate(self) for _ in range(ports)]

    def endpoint(self, port: int) -> str:
        """Return the URL of a port."""
        return f"http://127.0.0.1:{self._gates[port].server_port}"

    def cut(self, port: int) -> int:
        """Cut the connections of a port; return how many there were."""
        return self._gates[port].cut()

    def part(self, port: int, seconds: float, manner: Manner) -> None:
        """Let nothing through a port for a while: neither a request nor an answer."""
        gate = self._gates[port]
        gate.manner, gate.parted_until = manner, self._clock.boottime() + seconds
        if manner == "reset":
            gate.cut()

    def is_parted(self, port: int) -> bool:
        """Tell whether nothing goes through a port now."""
        return self._gates[port].is_parted()

    def calm(self) -> None:
        """From now on all is well."""
        with self._guard:
            self._rates = Rates(**dict.fromkeys(Rates.__slots__, 0.0))
        for gate in self._gates:
            gate.parted_until = 0.0

    def fault(self) -> tuple[str, float]:
        """Return what is to happen to the next request, and a number in [0, 1) for how much."""
        with self._guard:
            name = self._rates.chosen(self._chance.random())
            if name:
                self.counts[name] += 1
            return name, self._chance.random()

    def now(self) -> float:
        """Return the boot clock."""
        return self._clock.boottime()

    def __enter__(self) -> Self:
        for gate in self._gates:
            gate.thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.closing.set()
        for gate in self._gates:
            gate.shutdown()
            gate.cut()
        for gate in self._gates:
            gate.thread.join()
            # Waits for the handlers, which no longer wait for anything.
            gate.server_close()


class _Gate(ThreadingHTTPServer):
    """One port."""

    daemon_threads = False
    request_queue_size = 64

    def __init__(self, proxy: ChaosProxy) -> None:
        super().__init__(("127.0.0.1", 0), _Passage)
        self.proxy = proxy
        self.parted_until = 0.0
        self.manner: Manner = "silent"
        self.thread = threading.Thread(target=self.serve_forever, args=(0.02,))
        self._guard = threading.Lock()
        self._open: set[socket.socket] = set()

    def opened(self, connection: socket.socket) -> None:
        with self._guard:
            self._open.add(connection)

    def closed(self, connection: socket.socket) -> None:
        with self._guard:
            self._open.discard(connection)

    def cut(self) -> int:
        with self._guard:
            for connection in self._open:
                reset(connection)
            return len(self._open)

    def is_parted(self) -> bool:
        return self.proxy.now() < self.parted_until

    def handle_error(self, request: object, client_address: object) -> None:
        # Cut connections are what this is for; anything else is a mistake in here.
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Passage(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Gate

    def setup(self) -> None:
        super().setup()
        self.server.opened(self.connection)

    def finish(self) -> None:
        self.server.closed(self.connection)
        with suppress(OSError):
            super().finish()

    def pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault, much = self.server.proxy.fault()
        if self.server.is_parted():
            self._never_answer()
            return
        match fault:
            case "cut_before":
                self._hang_up()
                return
            case "busy":
                self._answer(503, {"Content-Type": "application/json"}, b"{}")
                return
            case "delayed":
                self._wait(much / 2)
            case "late":
                self._wait(3 + 5 * much)
            case _:
                pass
        try:
            status, headers, content = self._carry_out(body)
        except (OSError, http.client.HTTPException):
            self._hang_up()
            return
        if self.server.is_parted() or fault == "dropped":
            self._never_answer()
        elif fault == "cut_after":
            self._hang_up()
        elif fault == "busy_after":
            self._answer(503, {"Content-Type": "application/json"}, b"{}")
        else:
            self._answer(status, headers, content, half=fault == "half")

    def _carry_out(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        host, port = self.server.proxy.upstream
        server = http.client.HTTPConnection(host, port, timeout=UPSTREAM_WITHIN)
        try:
            kept = {k: v for k, v in self.headers.items() if k.lower() not in _OWN_HEADERS}
            server.request(self.command, self.path, body=body, headers=kept)
            answer = server.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            server.close()

    def _answer(
        self, status: int, headers: Mapping[str, str], body: bytes, *, half: bool = False
    ) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in _OWN_HEADERS:
                self.send_header(name, value)
        if status not in (204, 304):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if half else body)
        if half:
            self._hang_up()

    def _hang_up(self) -> None:
        self.close_connection = True
        reset(self.connection)

    def _never_answer(self) -> None:
        """Keep the connection open until who asked gives up, or the port is whole again."""
        self.close_connection = True
        if self.server.manner == "silent" or not self.server.is_parted():
            self._wait(UPSTREAM_WITHIN)
        reset(self.connection)

    def _wait(self, seconds: float) -> None:
        self.server.proxy.closing.wait(seconds)

    def log_message(self, *_: object) -> None:
        return


for _method in ("GET", "POST", "PUT", "DELETE", "PATCH"):
    setattr(_Passage, f"do_{_method}", _Passage.pass_on)


def reset(connection: socket.socket) -> None:
    """Cut a connection; its handler closes it."""
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        connection.shutdown(socket.SHUT_RDWR)
