"""A stand-in for the APIs of the CI systems on this machine: says anything about any job."""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

GITHUB_RUN = {"id": 8123, "run_attempt": 1, "status": "completed", "conclusion": "failure"}
GITLAB_JOB = {"id": 77, "status": "success", "finished_at": "2026-11-23T14:02:11Z"}


def says(
    body: object, *, status: int = 200, location: str = ""
) -> Callable[[BaseHTTPRequestHandler], None]:
    """Return an answer; a body of bytes goes out as it is, anything else as JSON."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        handler.send_response(status)
        if location:
            handler.send_header("Location", location)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    return answer


@dataclass
class FakeCi:
    """Answers every GET with `answer`, and notes what it was asked.

    Attributes:
        answer: writes the whole answer.
        paths: what was asked, in order.
        headers: of the last question.
    """

    answer: Callable[[BaseHTTPRequestHandler], None] = field(default_factory=lambda: says({}))
    paths: list[str] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    url: str = ""

    def __enter__(self) -> Self:
        fake = self
        self.over = threading.Event()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                fake.paths.append(self.path)
                fake.headers = dict(self.headers.items())
                # Whoever asked may have given up meanwhile.
                try:
                    fake.answer(self)
                except OSError:
                    self.close_connection = True

            def log_message(self, *_: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()
