"""An HTTP server on this machine, for one test: what every stand-in for a server is made of."""

import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar, Self

# Seconds between two looks for the server's end: every test has a server of its own.
_LOOK_EVERY = 0.02


class Exchange(BaseHTTPRequestHandler):
    """One request and its answer."""

    server: "_Server"

    @property
    def given(self) -> dict[str, str]:
        """The request's headers, their names in lower case."""
        return {name.lower(): value for name, value in self.headers.items()}

    def content(self) -> bytes:
        """Read the request's body; once."""
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def reply(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        """Send a whole answer."""
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return

    def setup(self) -> None:
        self.protocol_version = self.server.stand_in.protocol
        super().setup()

    def _respond(self) -> None:
        self.server.stand_in.respond(self)


for _method in ("GET", "POST", "PUT", "DELETE", "PATCH"):
    setattr(Exchange, f"do_{_method}", Exchange._respond)  # noqa: SLF001 - their one handler


class LocalServer:
    """A server that runs in a `with` statement and answers in threads.

    Attributes:
        url: its address, http://HOST:PORT.
        closing: is set when the statement ends, so that an answer that hangs may end.
    """

    protocol: ClassVar[str] = "HTTP/1.0"
    url: str = ""

    def respond(self, exchange: Exchange) -> None:
        """Answer one request; each stand-in has its own way."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        self.closing = threading.Event()
        self._server = _Server(self)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        serve = self._server.serve_forever
        self._thread = threading.Thread(target=serve, args=(_LOOK_EVERY,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    def __init__(self, stand_in: LocalServer) -> None:
        self.stand_in = stand_in
        super().__init__(("127.0.0.1", 0), Exchange)

    def handle_error(self, *_: object) -> None:
        """Say nothing of clients that have hung up."""
