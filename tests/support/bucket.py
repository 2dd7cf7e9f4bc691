"""A bucket of a real storage server as a stranger sees it: by plain requests."""

import json
from collections.abc import Callable
from typing import Any, cast
from urllib.parse import quote

import requests

from gcs_ci_lock.system.clock import SystemClock

# After so many seconds something hangs.
WITHIN = 60.0


class TestBucket:
    """A prefix of a bucket, read and written without the program's own code."""

    __test__ = False

    def __init__(self, endpoint: str, bucket: str, prefix: str = "locks") -> None:
        self.endpoint = endpoint
        self.bucket = bucket
        self.prefix = prefix

    @property
    def uri(self) -> str:
        return f"gs://{self.bucket}/{self.prefix}"

    def body(self, name: str) -> bytes | None:
        """Return the record's bytes, or None where there is none."""
        answer = self._get(f"o/{self._quoted(name)}?alt=media")
        return None if answer.status_code == 404 else answer.content

    def record(self, name: str) -> dict[str, Any]:
        """Return the record as JSON; it must be there."""
        body = self.body(name)
        assert body is not None
        return cast("dict[str, Any]", json.loads(body))

    def write(self, name: str, body: bytes) -> None:
        """Put something where the record belongs, whatever is there."""
        path = quote(f"{self.prefix}/{name}/lock.json", safe="")
        with _session() as session:
            url = f"{self.endpoint}/upload/storage/v1/b/{self.bucket}/o"
            answer = session.post(f"{url}?uploadType=media&name={path}", data=body, timeout=WITHIN)
            answer.raise_for_status()

    def delete_record(self, name: str) -> None:
        with _session() as session:
            url = f"{self.endpoint}/storage/v1/b/{self.bucket}/o/{self._quoted(name)}"
            session.delete(url, timeout=WITHIN).raise_for_status()

    def tickets(self, name: str) -> list[str]:
        """Return the lease ids in the queue."""
        prefix = f"{self.prefix}/{name}/queue/"
        items = self._get(f"o?prefix={quote(prefix, safe='')}").json().get("items", [])
        return [item["name"].removeprefix(prefix) for item in items]

    def until(self, condition: Callable[[], bool], within: float = WITHIN) -> None:
        """Wait until something is the case."""
        clock = SystemClock()
        deadline = clock.boottime() + within
        while not condition():
            assert clock.boottime() < deadline, "it did not come about in time"
            clock.sleep(0.05)

    def _quoted(self, name: str) -> str:
        return quote(f"{self.prefix}/{name}/lock.json", safe="")

    def _get(self, path: str) -> requests.Response:
        with _session() as session:
            url = f"{self.endpoint}/storage/v1/b/{self.bucket}/{path}"
            return session.get(url, timeout=WITHIN)


def _session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    return session
