"""A storage server whose every answer a test writes down beforehand."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Literal, Self
from urllib.parse import parse_qs, urlsplit

Manner = Literal["whole", "hang", "reset", "half"]


@dataclass(frozen=True)
class Answer:
    """One answer.

    Attributes:
        manner: "whole"; "hang": none comes until the server is closed; "reset": the connection is
            cut before the first byte; "half": it is cut in the middle of the body.
        date: the Date header, or "" for none.
    """

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)
    manner: Manner = "whole"
    date: str = "Mon, 23 Nov 2026 14:02:11 GMT"


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: Mapping[str, str]
    body: bytes


class ScriptedServer:
    """Answers as written, the last answer again and again; remembers what it was asked."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = list(answers)
        self._closing = threading.Event()
        self.asked: list[Asked] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

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
        self._server.server_close()
        self._thread.join()

    def _next(self) -> Answer:
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                server.asked.append(self._asked())
                answer = server._next()
                self.close_connection = True
                if answer.manner == "hang":
                    server._closing.wait(30)
                if answer.manner in ("hang", "reset"):
                    return
                self.send_response_only(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                if answer.date:
                    self.send_header("Date", answer.date)
                self.send_header("Content-Length", str(len(answer.body)))
                # Said as well as done: a client would send its next request into the closing one.
                self.send_header("Connection", "close")
                self.end_headers()
                half = len(answer.body) // 2
                try:
                    self.wfile.write(answer.body[:half] if answer.manner == "half" else answer.body)
                except OSError:
                    return

            def _asked(self) -> Asked:
                parts = urlsplit(self.path)
                length = int(self.headers.get("Content-Length") or 0)
                return Asked(
                    self.command,
                    parts.path,
                    parse_qs(parts.query),
                    {name.lower(): value for name, value in self.headers.items()},
                    self.rfile.read(length),
                )

            def log_message(self, *_: object) -> None:
                return

        for method in ("GET", "POST", "PUT", "DELETE", "PATCH"):
            setattr(Handler, f"do_{method}", Handler.answer)
        return Handler


def http_date(moment: float) -> str:
    """Return a Date header."""
    return formatdate(moment, usegmt=True)
