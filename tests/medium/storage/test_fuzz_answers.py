"""Any answer of a storage server, well-formed or not: a value that is declared, or a StoreError.

And no request more than is declared: nothing is tried again below the lock.
"""

import contextlib
import json
import socketserver
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gcs_ci_lock.errors import StoreError
from gcs_ci_lock.ports import NotFound, NotModified, ObjectInfo, ObjectRead, ObjectStore
from gcs_ci_lock.wiring import connect

pytestmark = [
    pytest.mark.fault,
    pytest.mark.property,
    # What the libraries were reading when a broken answer stopped them is closed by the collector.
    pytest.mark.filterwarnings("ignore:Exception ignored in. <socket.socket"),
]

TIMEOUT = 2.0
LIMIT = 10_000
PATH = "locks/prod/lock.json"


@dataclass
class RawServer:
    """Sends bytes as they are, one answer a connection, and counts what it was asked."""

    answers: list[bytes] = field(default_factory=list)
    asked: int = 0
    endpoint: str = ""

    def next(self) -> bytes:
        self.asked += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def serving(server: RawServer) -> socketserver.ThreadingTCPServer:
    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            length = 0
            while (line := self.rfile.readline()) not in (b"\r\n", b""):
                name, _, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            self.rfile.read(length)
            with contextlib.suppress(OSError):
                self.wfile.write(server.next())

    class Threads(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

    return Threads(("127.0.0.1", 0), Handler)


@pytest.fixture(scope="module")
def server() -> Iterator[RawServer]:
    raw = RawServer()
    with serving(raw) as tcp:
        raw.endpoint = f"http://127.0.0.1:{tcp.server_address[1]}"
        thread = threading.Thread(target=tcp.serve_forever, args=(0.02,))
        thread.start()
        yield raw
        tcp.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def store(server: RawServer) -> ObjectStore:
    return connect("acme-locks", endpoint=server.endpoint, environ={}).store


STATUSES = st.one_of(
    st.sampled_from([200] * 8 + [404, 412, 304, 206, 204, 201, 301, 302, 307, 308, 400, 401, 403]),
    st.sampled_from([405, 408, 409, 410, 411, 416, 429, 499, 500, 501, 502, 503, 504, 599]),
    st.integers(100, 999),
)
ITEM: dict[str, Any] = {
    "name": "locks/prod/queue/k3v9",
    "generation": "8",
    "timeCreated": "2026-11-23T14:02:11.250Z",
    "updated": "2026-11-23T14:02:11.250Z",
    "metadata": {"schema": "1"},
}
VALUES: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(
        [
            *(None, True, 0, -1, 8, 1e999, float("nan"), 10**400, 2**64, "", "x", "8", " 8 "),
            *("1_0", "9" * 5_000, "2026-11-23", "2026-11-23T14:02:11+99:99"),
            *("0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z"),
            *([], {}, [None], [[]], {"k": None}, {"k": {"k": []}}),
        ]
    ),
    st.text(max_size=4),
)
ITEMS = st.dictionaries(st.sampled_from([*ITEM, "md5Hash", "x"]), VALUES, max_size=2).map(
    lambda changes: ITEM | changes
)
PAGES = st.one_of(
    st.fixed_dictionaries(
        {"items": st.one_of(st.lists(ITEMS, max_size=2), VALUES)}, optional={"prefixes": VALUES}
    ),
    VALUES,
)
REFUSALS = st.fixed_dictionaries(
    {
        "error": st.one_of(
            VALUES,
            st.fixed_dictionaries(
                {"message": VALUES, "errors": VALUES}, optional={"code": VALUES, "details": VALUES}
            ),
        )
    }
)
BODIES = st.one_of(
    st.one_of(ITEMS, PAGES, REFUSALS, VALUES).map(lambda value: json.dumps(value).encode()),
    st.sampled_from(
        [
            *(b"", b"\x00", b"\xff\xfe\x00", b"[" * 100_000, b'{"a":' * 50_000),
            *(b"x" * (LIMIT + 1), b"<html>no such bucket</html>", b"\x1f\x8b\x08\x00"),
            *(b"5\r\nhello\r\n0\r\n\r\n", b"-1\r\n"),
        ]
    ),
    st.binary(max_size=50),
)
DATES = st.one_of(
    st.sampled_from(
        [
            *("Mon, 23 Nov 2026 14:02:11 GMT", "Mon, 23 Nov 2026 14:02:11 -9999", "now", ","),
            *("Mon,", "Mon, 99 Nov 2026 14:02:11 GMT", "Mon, 23 Nov 0 14:02:11 GMT"),
            *("1 Jan 1 0:0:0 +2400", "Fri, 31 Dec 9999 23:59:59 -0001", "23 Nov 2026 : GMT"),
            *("23-Nov-2026", "Nov, 23, 6, :, x"),
        ]
    ),
    st.lists(
        st.sampled_from(
            ["Mon,", "23", "Nov", "2026", "14:02:11", ":", ",", "-", "+0100", "GMT", "+"]
        ),
        max_size=6,
    ).map(" ".join),
)
LINES = st.one_of(
    st.sampled_from(
        [
            *("x-goog-generation: 7", "x-goog-generation: 8", "x-goog-generation: x"),
            *("x-goog-generation: 1e5", "x-goog-generation: " + "9" * 5_000),
            *("x-goog-hash: crc32c=AAAAAA==", "x-goog-hash: md5=,crc32c", "x-goog-hash: md5=x="),
            *("x-goog-hash: md5=AAAAAAAAAAAAAAAAAAAAAA==,md5=BAAAAAAAAAAAAAAAAAAAAA==",),
            *("x-goog-stored-content-encoding: gzip", "x-goog-stored-content-length: 99"),
            *("x-goog-stored-content-length: x", "x-goog-metageneration: x"),
            *("Content-Encoding: gzip", "Content-Encoding: deflate", "Content-Encoding: x, gzip"),
            *("Transfer-Encoding: chunked", "Transfer-Encoding: x", "Connection: x"),
            *("Content-Type: application/json", "Content-Type: text/html; charset=bogus"),
            *("Content-Type: application/json; charset=utf-16", "Content-Type: ;;="),
            *("Location: /elsewhere", "Location: http://[", "Location: ftp://x/", "Location: \xff"),
            *("Retry-After: x", "Set-Cookie: =", "WWW-Authenticate: x", "Last-Modified: x"),
            *(
                "Content-Range: bytes 0-1/2",
                "ETag: x",
                "no colon",
                " folded",
                ":",
                "X: " + "x" * 70_000,
            ),
        ]
    ),
    st.text(st.characters(max_codepoint=255, exclude_characters="\n"), max_size=10),
)


@st.composite
def answers(draw: st.DrawFn, bodies: st.SearchStrategy[bytes] = BODIES) -> bytes:
    """Return one answer, as bytes on the wire."""
    body = draw(bodies)
    first = draw(
        st.sampled_from(["HTTP/1.1 {} x"] * 12 + ["HTTP/1.0 {}", "HTTP/9.9 {} x", "{}", "", "\x00"])
    )
    length = draw(st.sampled_from([len(body)] * 8 + [0, len(body) + 5, "x", "-1", "1, 2", None]))
    lines = [
        first.format(draw(STATUSES)),
        # The server does so; a client that is not told may still try the old connection once more.
        "Connection: close",
        *draw(st.lists(LINES, max_size=3)),
        f"Date: {draw(DATES)}",
    ]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace") + body


WHOLE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nx-goog-generation: 7\r\n"
    b"Connection: close\r\nContent-Length: %d\r\n\r\n"
)


def outcome_of(server: RawServer, call: Callable[[], object], *given_: bytes) -> object:
    """Return what a call gives back on these answers; any but a StoreError goes on."""
    server.answers, server.asked = list(given_), 0
    try:
        return call()
    except StoreError as refusal:
        assert str(refusal).isprintable()  # noqa: PT017 - what it is a test of may also return
        assert len(str(refusal)) < 1_000  # noqa: PT017
        return refusal


@given(answers(), st.sampled_from([None, 7, 8]))
@settings(max_examples=150)
def test_any_answer_to_a_read_is_an_object_or_a_refusal(
    server: RawServer, store: ObjectStore, answer: bytes, known: int | None
) -> None:
    found = outcome_of(
        server, lambda: store.read(PATH, known=known, limit=LIMIT, timeout=TIMEOUT), answer
    )

    assert isinstance(found, ObjectRead | NotFound | NotModified | StoreError)
    # Who knows of no version cannot be told that it is still the one.
    assert known is not None or not isinstance(found, NotModified)
    if isinstance(found, ObjectRead):
        assert (found.body is None) == (found.generation == 0)
        assert len(found.body or b"") <= LIMIT
    assert server.asked <= 1


@given(answers())
@settings(max_examples=150)
def test_any_answer_to_a_write_is_an_entry_or_a_refusal(
    server: RawServer, store: ObjectStore, answer: bytes
) -> None:
    written = outcome_of(
        server, lambda: store.write(PATH, b"{}", generation=7, timeout=TIMEOUT), answer
    )

    assert isinstance(written, ObjectInfo | StoreError)
    if isinstance(written, ObjectInfo):
        assert_typed(written)
    assert server.asked <= 1


@given(answers())
@settings(max_examples=150)
def test_any_answer_to_a_deletion_is_its_end_or_a_refusal(
    server: RawServer, store: ObjectStore, answer: bytes
) -> None:
    gone = outcome_of(server, lambda: store.delete(PATH, generation=7, timeout=TIMEOUT), answer)

    assert gone is None or isinstance(gone, StoreError)
    assert server.asked <= 1


@given(answers(PAGES.map(lambda page: json.dumps(page).encode()) | BODIES), st.booleans())
@settings(max_examples=150)
def test_any_page_of_a_listing_is_entries_or_a_refusal(
    server: RawServer,
    store: ObjectStore,
    answer: bytes,
    second: bool,  # noqa: FBT001 - hypothesis gives it
) -> None:
    page = json.dumps({"items": [ITEM], "nextPageToken": "t"}).encode()
    pages = [WHOLE % len(page) + page, answer] if second else [answer]

    listed = outcome_of(server, lambda: store.list("locks/", timeout=TIMEOUT), *pages)

    assert isinstance(listed, list | StoreError)
    if isinstance(listed, list):
        assert len(listed) >= second
        for entry in listed:
            assert_typed(entry)
    assert server.asked <= len(pages)


REASON = b'{"error": {"message": "x", "errors": %s}}'
HEAD = "HTTP/1.1 {} x\r\nConnection: close\r\nContent-Length: {}\r\nx-goog-generation: 7\r\n"


@pytest.mark.parametrize("method", ["read", "write", "list", "delete"])
@pytest.mark.parametrize(
    ("status", "body", "line"),
    [
        (304, b"", ""),
        (400, REASON % b"null", ""),
        (400, REASON % b"8", ""),
        (403, REASON % b"[[]]", ""),
        (200, b'{"generation": 1e999}', ""),
        (200, b'{"items": [{"name": "x", "generation": Infinity}]}', ""),
        (200, b"{}", "x-goog-stored-content-encoding: gzip\r\n"),
        (200, b"[" * 100_000, ""),
    ],
    ids=str,
)
def test_an_answer_that_once_got_through_is_a_value_or_a_refusal(
    server: RawServer, store: ObjectStore, method: str, status: int, body: bytes, line: str
) -> None:
    calls: dict[str, Callable[[], object]] = {
        "read": lambda: store.read(PATH, known=None, limit=LIMIT, timeout=TIMEOUT),
        "write": lambda: store.write(PATH, b"{}", generation=7, timeout=TIMEOUT),
        "list": lambda: store.list("locks/", timeout=TIMEOUT),
        "delete": lambda: store.delete(PATH, generation=7, timeout=TIMEOUT),
    }
    answer = (HEAD.format(status, len(body)) + line + "\r\n").encode() + body

    outcome = outcome_of(server, calls[method], answer)

    assert outcome is None or isinstance(outcome, ObjectRead | list | ObjectInfo | StoreError)
    assert status == 200 or isinstance(outcome, StoreError)


def assert_typed(entry: ObjectInfo) -> None:
    """See that an entry is what it declares to be, whatever the server sent."""
    assert type(entry.generation) is int
    texts = [entry.path, entry.created_text, entry.updated_text]
    texts += [*entry.metadata.keys(), *entry.metadata.values()]
    assert all(type(text) is str for text in texts)
