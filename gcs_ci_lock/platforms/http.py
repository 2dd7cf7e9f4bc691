"""One question to the API of a CI system: a JSON document, or nothing that may be believed."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import requests

from gcs_ci_lock.platforms.cutting import CuttableAdapter
from gcs_ci_lock.protocol.json_reader import InvalidJson, parse_json
from gcs_ci_lock.protocol.text import MAX_FOREIGN
from gcs_ci_lock.system.http_auth import no_auth

MOST_BYTES: Final = 1024 * 1024
_CHUNK: Final = 64 * 1024
_FOUND: Final = 200
_SEGMENT: Final = re.compile(r"[A-Za-z0-9_.-]+")
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,19}")

# Returns the document at an address, asked for with these headers; None: nothing is known.
Fetch = Callable[[str, Mapping[str, str]], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long an answer is waited for.

    Attributes:
        silence: seconds without a byte; also for the connection.
        whole: seconds from the question to the end of the answer. Finding the address of a host
            can take longer: that is the system's resolver.
    """

    silence: float = 5.0
    whole: float = 10.0


_PATIENCE: Final = Timeouts()


def get_json(url: str, headers: Mapping[str, str], *, patience: Timeouts = _PATIENCE) -> object:
    """Return the JSON document at an address, or None for everything else.

    Only a 200 of at most 1 MiB counts: no redirect is followed, nothing is unpacked. Whatever goes
    wrong is None too, and is told to nobody, so that no message shows a token.

    Args:
        url: the whole address.
        headers: the token among them.
        patience: how long; tests have less.
    """
    adapter = CuttableAdapter()
    with requests.Session() as session, adapter.cut_after(patience.whole):
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        session.auth = no_auth
        try:
            with session.get(
                url,
                headers={"User-Agent": "gcs-ci-lock", "Accept-Encoding": "identity", **headers},
                timeout=patience.silence,
                allow_redirects=False,
                stream=True,
            ) as answer:
                document = parse_json(_body(answer))
        except (OSError, ValueError, InvalidJson):
            return None
    return None if adapter.has_cut else document


def is_path(text: str, *, least: int, most: int) -> bool:
    """Tell whether a text from elsewhere is a path that stands for itself in an address.

    Args:
        text: what a record calls a repository.
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
    """Tell whether a text from elsewhere is a number from 1, as the CI systems write one."""
    return bool(_NUMBER.fullmatch(text))


def is_below(url: str, start: str) -> bool:
    """Tell whether an address is `start` or stands below it."""
    return url == start or url.startswith(start + "/")


def _body(answer: requests.Response) -> bytes | None:
    if answer.status_code != _FOUND or "Content-Encoding" in answer.headers:
        return None
    body = bytearray()
    for chunk in answer.iter_content(_CHUNK):
        body += chunk
        if len(body) > MOST_BYTES:
            return None
    return bytes(body)
