"""A storage server whose every answer a test writes down beforehand."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Literal
from urllib.parse import parse_qs, urlsplit

from tests.support.local_server import Exchange, LocalServer

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


class ScriptedServer(LocalServer):
    """Answers as written, the last answer again and again; remembers what it was asked."""

    protocol = "HTTP/1.1"

    def __init__(self, *answers: Answer) -> None:
        self._answers = list(answers)
        self.asked: list[Asked] = []

    @property
    def endpoint(self) -> str:
        return self.url

    def respond(self, exchange: Exchange) -> None:
        self.asked.append(_asked(exchange))
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        exchange.close_connection = True
        if answer.manner == "hang":
            self.closing.wait(30)
        if answer.manner in ("hang", "reset"):
            return
        exchange.send_response_only(answer.status)
        for name, value in answer.headers.items():
            exchange.send_header(name, value)
        if answer.date:
            exchange.send_header("Date", answer.date)
        exchange.send_header("Content-Length", str(len(answer.body)))
        # Said as well as done: a client would send its next request into the closing one.
        exchange.send_header("Connection", "close")
        exchange.end_headers()
        half = len(answer.body) // 2
        with suppress(OSError):
            exchange.wfile.write(answer.body[:half] if answer.manner == "half" else answer.body)


def _asked(exchange: Exchange) -> Asked:
    parts = urlsplit(exchange.path)
    query = parse_qs(parts.query)
    return Asked(exchange.command, parts.path, query, exchange.given, exchange.content())


def http_date(moment: float) -> str:
    """Return a Date header."""
    return formatdate(moment, usegmt=True)
