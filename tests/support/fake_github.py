"""A stand-in for GitHub's API on this machine: the job's token, and cancelled runs."""

import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self


@dataclass
class FakeGitHub:
    """Answers every GET with `status` and notes every POST.

    Attributes:
        status: 200 while the token is good, 401 afterwards.
        asked: how often a GET came.
        posted: the paths of the POSTs.
        tokens: the Authorization headers that were sent.
    """

    status: int = 200
    asked: int = 0
    posted: list[str] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    url: str = ""

    def __enter__(self) -> Self:
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                fake.asked += 1
                self._answer(fake.status)

            def do_POST(self) -> None:
                fake.posted.append(self.path)
                self._answer(202 if fake.status == 200 else fake.status)

            def _answer(self, status: int) -> None:
                fake.tokens.add(self.headers.get("Authorization", ""))
                self.send_response(status)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
