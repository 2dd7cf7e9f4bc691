"""What the stand-ins for the APIs of CI systems have in common: how they answer, well or badly."""

import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal, Self

# Seconds between two bytes of a server that drips.
DRIP = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer to every question.

    Attributes:
        location: where a redirect leads, or "".
        encoding: how the body says that it is packed, or "".
        manner: hang: never answers; drip: byte for byte, without end; drip-head: likewise, before
            the headers have ended.
    """

    status: int = 200
    body: bytes = b"{}"
    location: str = ""
    encoding: str = ""
    manner: Literal["plain", "hang", "drip", "drip-head"] = "plain"


@dataclass
class FakeCi:
    """A server on this machine; keeps what was sent to it.

    Attributes:
        paths: of the GETs, as they came.
        headers: of all requests, their names in lower case.
        posted: the paths of the POSTs.
    """

    paths: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    posted: list[str] = field(default_factory=list)
    url: str = ""

    def answer_to(self, path: str) -> Answer:
        """Return the answer to a GET; each stand-in has its own."""
        raise NotImplementedError

    def took_post(self, path: str) -> Answer:
        """Return the answer to a POST."""
        self.posted.append(path)
        return Answer(status=404)

    def __enter__(self) -> Self:
        self._server = _Server(self)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        # Looks for its end twenty times a second: every test has a server of its own.
        serve = self._server.serve_forever
        threading.Thread(target=serve, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.leaving.set()
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    def __init__(self, fake: FakeCi) -> None:
        self.fake = fake
        self.leaving = threading.Event()
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, *_: object) -> None:
        """Say nothing of clients that have hung up."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        fake = self.server.fake
        fake.headers.append({name.lower(): value for name, value in self.headers.items()})
        fake.paths.append(self.path)
        self._answer(fake.answer_to(self.path))

    def do_POST(self) -> None:
        fake = self.server.fake
        fake.headers.append({name.lower(): value for name, value in self.headers.items()})
        self._answer(fake.took_post(self.path))

    def _answer(self, answer: Answer) -> None:
        if answer.manner == "hang":
            self.server.leaving.wait()
        elif answer.manner == "drip-head":
            self._drip(b"HTTP/1.1 200 OK\r\n", b"X")
        elif answer.manner == "drip":
            self._drip(b"HTTP/1.1 200 OK\r\n\r\n" + answer.body, b" ")
        else:
            self._plain(answer)

    def _plain(self, answer: Answer) -> None:
        self.send_response(answer.status)
        if answer.location:
            self.send_header("Location", answer.location)
        if answer.encoding:
            self.send_header("Content-Encoding", answer.encoding)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def _drip(self, start: bytes, drop: bytes) -> None:
        self.wfile.write(start)
        while not self.server.leaving.wait(DRIP):
            self.wfile.write(drop)

    def log_message(self, *_: object) -> None:
        return
