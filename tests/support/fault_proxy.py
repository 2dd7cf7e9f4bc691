"""A proxy in front of a real storage server, in which chosen requests come to grief.

What is not chosen passes byte for byte, both ways. What is chosen is answered or not, and reaches
the server or not, independently of each other: that is all that can happen to a request.
"""

import json
import select
import socket
import struct
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.utils import formatdate
from http.client import parse_headers
from io import BytesIO
from socketserver import BaseRequestHandler, ThreadingTCPServer
from types import TracebackType
from typing import Any, Literal, Self, cast
from urllib.parse import unquote, urlsplit

from gcs_ci_lock.system.clock import SystemClock

# Seconds after which the proxy itself stops waiting, for a server or for a client to hang up.
PATIENCE = 60.0
# Seconds between two bytes of an answer that drips: no timeout for one byte is shorter.
DRIP_EVERY = 0.3
_LOOK_EVERY = 0.02
_CHUNK = 65_536
_WITHOUT_BODY = frozenset({204, 304})
# On, with no time to linger: closing sends a reset instead of an end.
_RESET = struct.pack("ii", 1, 0)

Arrival = Literal["never", "at once", "late"]
Reply = Literal["none", "too late", "stalled", "half", "drip", "reset"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What becomes of one request.

    Attributes:
        arrives: whether the storage server gets it. "late": after the client has hung up.
        answer: what the client gets: a status made up by the proxy; "none": silence until it hangs
            up; "too late": the server's answer, once it has; "stalled": half of the answer's body,
            then silence; "half": half of it, then the end; "drip": all of it, byte for byte, for
            minutes; "reset": the connection is reset.
        overtakes: for a late one: a request of this method, to the same path, sets out before it
            and arrives after it; "": it arrives when the test says so.
    """

    arrives: Arrival
    answer: int | Reply
    overtakes: Literal["", "GET", "POST", "DELETE"] = ""


DROPPED = Fault(arrives="never", answer="none")
ANSWER_LOST = Fault(arrives="at once", answer="none")
LATE = Fault(arrives="late", answer="none")
ANSWERED_TOO_LATE = Fault(arrives="at once", answer="too late")
STALLED = Fault(arrives="at once", answer="stalled")
DRIPPED = Fault(arrives="at once", answer="drip")
HALF_A_BODY = Fault(arrives="at once", answer="half")
RESET_BEFORE = Fault(arrives="never", answer="reset")
RESET_AFTER = Fault(arrives="at once", answer="reset")


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One HTTP message as the bytes that it consists of."""

    head: bytes
    body: bytes

    @property
    def raw(self) -> bytes:
        return self.head + self.body

    @property
    def first_line(self) -> list[str]:
        return self.head.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)


@dataclass(eq=False, kw_only=True)
class Seen:
    """One request that came to the proxy.

    Attributes:
        at: boot clock when it had come whole.
        fault: what it met, or None.
        answer: the storage server's, whether or not the client got it; None: it was not asked.
        gone: is set when the client has hung up on it.
    """

    message: Message
    at: float
    fault: Fault | None
    answer: Message | None = None
    gone: threading.Event = field(default_factory=threading.Event)

    @property
    def method(self) -> str:
        return self.message.first_line[0]

    @property
    def target(self) -> str:
        """Return path and query, without escapes."""
        return unquote(self.message.first_line[1])

    @property
    def status(self) -> int | None:
        """Return what the storage server answered, or None where it was not asked."""
        return None if self.answer is None else int(self.answer.first_line[1])

    @property
    def document(self) -> dict[str, Any]:
        """Return the server's answer as JSON; it must be one, and not in chunks."""
        assert self.answer is not None
        return cast("dict[str, Any]", json.loads(self.answer.body))

    @property
    def payload(self) -> bytes:
        """Return the object that a multipart upload carries."""
        return self.message.body.split(b"\r\n\r\n", 2)[2].rsplit(b"\r\n--", 1)[0]

    def is_for(self, method: str, part: str) -> bool:
        """Tell whether it has this method, and this in its path or in what an upload names."""
        return self.method == method and (
            part in self.target or (method == "POST" and part.encode() in self.message.body)
        )


@dataclass(eq=False, kw_only=True)
class _Plan:
    method: str
    part: str
    number: int
    fault: Fault


class FaultProxy:
    """Hands requests on to a server; remembers all, and lets the planned ones meet their fault."""

    def __init__(self, endpoint: str) -> None:
        """Take the server's URL.

        Args:
            endpoint: http://HOST:PORT.
        """
        parts = urlsplit(endpoint)
        self._upstream = (parts.hostname or "", parts.port or 80)
        self._clock = SystemClock()
        self._guard = threading.Lock()
        self._closing = threading.Event()
        self._plans: list[_Plan] = []
        self._late: list[tuple[Seen, str]] = []
        self._open: set[socket.socket] = set()
        self._errors: list[BaseException] = []
        self.seen: list[Seen] = []
        self._server = self._listener()
        self._thread = threading.Thread(target=self._server.serve_forever, args=(_LOOK_EVERY,))

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def has_plans(self) -> bool:
        """Tell whether a fault still waits for its request."""
        return bool(self._plans)

    def plan(self, fault: Fault, method: str, part: str, *, number: int = 1) -> None:
        """Let the nth request from now on meet a fault.

        Args:
            fault: what becomes of it.
            method: GET, POST or DELETE.
            part: is in its path, or in the name that an upload gives to its object.
            number: which one of those that match, from 1.
        """
        with self._guard:
            self._plans.append(_Plan(method=method, part=part, number=number, fault=fault))

    def deliver(self) -> list[Seen]:
        """Let all late requests arrive now, and return them with the server's answers."""
        with self._guard:
            late = [seen for seen, _ in self._late]
            self._late.clear()
        for seen in late:
            self._arrive(seen)
        return late

    def requests(self, method: str, part: str) -> list[Seen]:
        """Return those that match, in the order in which they set out."""
        with self._guard:
            return [seen for seen in self.seen if seen.is_for(method, part)]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing.set()
        self._server.shutdown()
        self._thread.join()
        with self._guard:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        # Waits for the connections' threads.
        self._server.server_close()
        if kind is None and self._errors:
            raise self._errors[0]

    def _listener(self) -> ThreadingTCPServer:
        proxy = self

        class Connection(BaseRequestHandler):
            request: socket.socket

            def handle(self) -> None:
                with proxy._kept_in_view(self.request), suppress(ConnectionError):
                    proxy._serve(self.request)

        class Listener(ThreadingTCPServer):
            request_queue_size = 64

            def shutdown_request(
                self, request: socket.socket | tuple[bytes, socket.socket]
            ) -> None:
                # Without a word of farewell, which would come before a reset.
                assert isinstance(request, socket.socket)
                request.close()

            def handle_error(self, *_: object) -> None:
                error = sys.exc_info()[1]
                assert error is not None
                proxy._errors.append(error)

        return Listener(("127.0.0.1", 0), Connection)

    @contextmanager
    def _kept_in_view(self, connection: socket.socket) -> Iterator[None]:
        with self._guard:
            self._open.add(connection)
        try:
            yield
        finally:
            with self._guard:
                self._open.discard(connection)

    def _serve(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream = _Stream(connection)
        while not self._closing.is_set() and (message := stream.request()) is not None:
            seen = self._noted(message)
            if not self._dealt_with(seen, connection):
                return

    def _noted(self, message: Message) -> Seen:
        """Remember a request, let in what it was overtaken by, and find its fault."""
        seen = Seen(message=message, at=self._clock.boottime(), fault=None)
        with self._guard:
            overtaking = [
                one
                for one, part in self._late
                if one.fault and one.fault.overtakes and seen.is_for(one.fault.overtakes, part)
            ]
            self._late = [(one, part) for one, part in self._late if one not in overtaking]
            plan = self._planned_for(seen)
            if plan is not None:
                seen.fault = plan.fault
                if plan.fault.arrives == "late":
                    self._late.append((seen, plan.part))
            self.seen.append(seen)
        for one in overtaking:
            self._arrive(one)
        return seen

    def _planned_for(self, seen: Seen) -> _Plan | None:
        matching = [plan for plan in self._plans if seen.is_for(plan.method, plan.part)]
        for plan in matching:
            plan.number -= 1
        due = next((plan for plan in matching if plan.number == 0), None)
        if due is not None:
            self._plans.remove(due)
        return due

    def _dealt_with(self, seen: Seen, connection: socket.socket) -> bool:
        """Answer one request; tell whether the connection may go on."""
        fault = seen.fault
        answer = self._asked(seen) if fault is None or fault.arrives == "at once" else None
        if fault is None:
            assert answer is not None
            connection.sendall(answer.raw)
            return True
        if isinstance(fault.answer, int):
            connection.sendall(_made_up(fault.answer))
            return True
        if fault.answer == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            return False
        if fault.answer in ("half", "stalled"):
            assert answer is not None
            connection.sendall(answer.head + answer.body[: len(answer.body) // 2])
        if fault.answer == "drip":
            assert answer is not None
            self._drip(answer.raw, connection)
        elif fault.answer != "half":
            self._wait_until_gone(connection)
            seen.gone.set()
        if fault.answer == "too late":
            assert answer is not None
            with suppress(OSError):
                connection.sendall(answer.raw)
        return False

    def _arrive(self, seen: Seen) -> None:
        assert seen.gone.wait(PATIENCE), "the client still waits for what is to arrive late"
        self._asked(seen)

    def _asked(self, seen: Seen) -> Message:
        """Hand a request on to the server, and return its answer."""
        with socket.create_connection(self._upstream, timeout=PATIENCE) as upstream:
            upstream.sendall(seen.message.raw)
            seen.answer = _Stream(upstream).answer()
        return seen.answer

    def _drip(self, answer: bytes, connection: socket.socket) -> None:
        for at in range(len(answer)):
            if self._closing.wait(DRIP_EVERY):
                return
            connection.sendall(answer[at : at + 1])

    def _wait_until_gone(self, connection: socket.socket) -> None:
        until = self._clock.boottime() + PATIENCE
        while not self._closing.is_set():
            assert self._clock.boottime() < until, "the client does not hang up"
            if select.select([connection], [], [], _LOOK_EVERY)[0]:
                try:
                    said = connection.recv(1, socket.MSG_PEEK)
                except ConnectionError:
                    return
                assert not said, "the client says more before it has an answer"
                return


class _Stream:
    """HTTP/1.1 messages from a connection."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._kept = b""

    def request(self) -> Message | None:
        """Return the next one, or None where the client has hung up before its end."""
        try:
            head = self._up_to(b"\r\n\r\n")
            return Message(head=head, body=self._body(head))
        except EOFError:
            return None

    def answer(self) -> Message:
        """Return the server's answer."""
        head = self._up_to(b"\r\n\r\n")
        status = int(head.split(b" ", 2)[1])
        return Message(head=head, body=b"" if status in _WITHOUT_BODY else self._body(head))

    def _body(self, head: bytes) -> bytes:
        headers = parse_headers(BytesIO(head.split(b"\r\n", 1)[1]))
        if headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self._exactly(int(headers.get("Content-Length", "0")))
        body = b""
        while True:
            line = self._up_to(b"\r\n")
            length = int(line.split(b";")[0], 16)
            # The chunk and the line's end behind it; no server of ours sends trailers.
            body += line + self._exactly(length + 2)
            if length == 0:
                return body

    def _up_to(self, mark: bytes) -> bytes:
        while mark not in self._kept:
            self._receive()
        return self._take(self._kept.index(mark) + len(mark))

    def _exactly(self, count: int) -> bytes:
        while len(self._kept) < count:
            self._receive()
        return self._take(count)

    def _take(self, count: int) -> bytes:
        taken, self._kept = self._kept[:count], self._kept[count:]
        return taken

    def _receive(self) -> None:
        received = self._connection.recv(_CHUNK)
        if not received:
            raise EOFError
        self._kept += received


def _made_up(status: int) -> bytes:
    """Return an answer as Cloud Storage words its refusals."""
    error = {"code": status, "message": "planned", "errors": [{"reason": "planned"}]}
    body = json.dumps({"error": error}).encode()
    head = (
        f"HTTP/1.1 {status} Planned\r\n"
        "Content-Type: application/json\r\n"
        f"Date: {formatdate(usegmt=True)}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
