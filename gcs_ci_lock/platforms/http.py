"""One GET to the API of a CI system: a JSON document, or nothing."""

import re
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Final, TypeVar

import requests

from gcs_ci_lock.protocol.json_reader import InvalidJson, parse_json
from gcs_ci_lock.protocol.text import MAX_FOREIGN
from gcs_ci_lock.system.http_auth import no_auth

MAX_BYTES: Final = 1024 * 1024
# Seconds without a byte, and for the connection.
SILENCE: Final = 5.0
_CHUNK: Final = 64 * 1024
_FOUND: Final = 200
_SEGMENT: Final = re.compile(r"[A-Za-z0-9_.-]+")
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,19}")

_Result = TypeVar("_Result")

# Returns the document at an address, asked for with these headers; None: nothing is known.
Fetch = Callable[[str, Mapping[str, str]], object]


def get_json(url: str, headers: Mapping[str, str], *, silence: float = SILENCE) -> object:
    """Return the JSON document at an address, or None for everything else.

    Only a 200 of at most 1 MiB counts: no redirect is followed, nothing is unpacked. Every failure
    is None too and is not reported, so that no message shows a token.

    Has no deadline: a server that sends a byte now and then blocks the caller for hours. Call it in
    a thread that you can abandon.

    Args:
        url: the whole address.
        headers: the token among them.
        silence: seconds without a byte until the request fails; shorter in tests.
    """
    with requests.Session() as session:
        session.auth = no_auth
        try:
            with session.get(
                url,
                headers={"User-Agent": "gcs-ci-lock", "Accept-Encoding": "identity", **headers},
                timeout=silence,
                allow_redirects=False,
                stream=True,
            ) as answer:
                return parse_json(_body(answer))
        except (OSError, ValueError, InvalidJson):
            return None


def call_within(seconds: float, call: Callable[[], _Result]) -> _Result:
    """Return the result of a call, or abandon it.

    The thread of an abandoned call runs until the call returns; it does not keep the process alive.

    Args:
        seconds: how long to wait for the result.
        call: its errors are raised here.

    Raises:
        TimeoutError: there is no result yet.
        RuntimeError: no thread could be started.
    """
    result: Future[_Result] = Future()

    def carry_out() -> None:
        try:
            result.set_result(call())
        except Exception as error:  # noqa: BLE001 - raised again by `result`
            result.set_exception(error)

    threading.Thread(target=carry_out, name="request", daemon=True).start()
    return result.result(timeout=seconds)


def is_path(text: str, *, least: int, most: int) -> bool:
    """Return whether the text is a path that means the same as part of a URL.

    Args:
        text: a repository, from a record.
        least: segments at least.
        most: segments at most.
    """
    segments = text.split("/")
    return (
        len(text) <= MAX_FOREIGN
        and least <= len(segments) <= most
        and all(_SEGMENT.fullmatch(s) and s not in (".", "..") for s in segments)
    )


def is_number(text: str) -> bool:
    """Return whether the text is an integer >= 1, as the CI systems write it."""
    return bool(_NUMBER.fullmatch(text))


def is_below(url: str, start: str) -> bool:
    """Return whether a URL is `start` or below it."""
    return url == start or url.startswith(start + "/")


def _body(answer: requests.Response) -> bytes | None:
    if answer.status_code != _FOUND or "Content-Encoding" in answer.headers:
        return None
    body = bytearray()
    for chunk in answer.iter_content(_CHUNK):
        body += chunk
        if len(body) > MAX_BYTES:
            return None
    return bytes(body)
