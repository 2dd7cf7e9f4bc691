"""10,000 forged tickets, in pages over HTTP as Cloud Storage lists them, cost a waiter little.

What is counted is memory and processor time, which a busy machine does not change; see
test_forged_queue.py for queues of other kinds.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from gcs_ci_lock.protocol.record import Record
from gcs_ci_lock.protocol.record_json import encode_record
from gcs_ci_lock.protocol.ticket_metadata import encode_ticket
from gcs_ci_lock.system.clock import SystemClock
from tests.medium.test_forged_queue import FORGED, MEMORY, SECONDS_A_POLL, ticket

pytestmark = pytest.mark.fault

PAGE = 1_000


class Bucket(ThreadingHTTPServer):
    """One lock, freed just now, and its queue; takes every write and keeps none."""

    def __init__(self, forged: int) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.polls = 0
        now = datetime.now(UTC)
        self.now = f"{now:%Y-%m-%dT%H:%M:%S.%fZ}"
        self.record = encode_record(Record(name="prod", fence=41, freed_at=now.timestamp()))
        self.pages = [
            [self.entry(number) for number in range(first, first + PAGE)]
            for first in range(0, forged, PAGE)
        ]

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def entry(self, number: int) -> dict[str, object]:
        return {
            "name": f"locks/prod/queue/forged-{number:05}",
            "generation": "8",
            "timeCreated": self.now,
            "updated": self.now,
            "metadata": dict(encode_ticket(ticket(number, "fresh"))),
        }

    def page(self, token: str) -> bytes:
        number = int(token or 0)
        page: dict[str, object] = {"kind": "storage#objects"}
        if number < len(self.pages):
            page["items"] = self.pages[number]
        if number + 1 < len(self.pages):
            page["nextPageToken"] = str(number + 1)
        return json.dumps(page).encode()


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: Bucket

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if "lock.json" in parts.path:
            self.server.polls += 1
            self.answer(self.server.record)
        else:
            (token,) = parse_qs(parts.query).get("pageToken", [""])
            self.answer(self.server.page(token))

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(json.dumps(self.server.entry(0)).encode())

    def do_DELETE(self) -> None:
        self.answer(b"")

    def answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("x-goog-generation", "7")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


@contextmanager
def serving(forged: int) -> Iterator[Bucket]:
    with Bucket(forged) as bucket:
        thread = threading.Thread(target=bucket.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield bucket
        finally:
            bucket.shutdown()
            thread.join()


def waiter(endpoint: str, wait: str) -> tuple[int, int, float]:
    """Return a waiter's exit code, bytes, and seconds of processor time."""
    where = ["--bucket", "acme-locks", "--endpoint", endpoint, "--wait", wait]
    process = subprocess.Popen(
        [sys.executable, "-m", "gcs_ci_lock", "run", "prod", *where, "--", "true"],
        stdin=subprocess.DEVNULL,
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, used.ru_maxrss * 1024, used.ru_utime + used.ru_stime


def test_a_waiter_beside_ten_thousand_forged_tickets_stays_within_the_budget() -> None:
    clock = SystemClock()
    began = clock.boottime()
    with serving(0) as bucket:
        served, least_memory, least_seconds = waiter(bucket.endpoint, "0")
    # Long enough for some polls on a machine that does much else.
    wait = 5 + 6 * (clock.boottime() - began)
    with serving(FORGED) as bucket:
        timed_out, memory, seconds = waiter(bucket.endpoint, f"{wait:.0f}s")

    assert (served, timed_out) == (0, 75)
    assert bucket.polls >= 2
    assert memory - least_memory < MEMORY
    assert (seconds - least_seconds) / bucket.polls < SECONDS_A_POLL
