"""What the stand-ins for the APIs of CI systems have in common: how they answer, well or badly."""

from dataclasses import dataclass, field
from typing import Literal

from tests.support.local_server import Exchange, LocalServer

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
class FakeCi(LocalServer):
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

    def respond(self, exchange: Exchange) -> None:
        self.headers.append(exchange.given)
        if exchange.command == "POST":
            self._send(self.took_post(exchange.path), exchange)
        else:
            self.paths.append(exchange.path)
            self._send(self.answer_to(exchange.path), exchange)

    def _send(self, answer: Answer, exchange: Exchange) -> None:
        match answer.manner:
            case "hang":
                self.closing.wait()
            case "drip-head":
                self._drip(b"HTTP/1.1 200 OK\r\n", b"X", exchange)
            case "drip":
                self._drip(b"HTTP/1.1 200 OK\r\n\r\n" + answer.body, b" ", exchange)
            case "plain":
                named = {"Location": answer.location, "Content-Encoding": answer.encoding}
                headers = {name: value for name, value in named.items() if value}
                exchange.reply(answer.status, answer.body, headers)

    def _drip(self, start: bytes, drop: bytes, exchange: Exchange) -> None:
        exchange.wfile.write(start)
        while not self.closing.wait(DRIP):
            exchange.wfile.write(drop)
