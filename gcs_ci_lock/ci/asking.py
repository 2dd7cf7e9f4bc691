"""One question to a CI system's API: a small JSON object, or nothing is known."""

from collections.abc import Mapping
from typing import Any, Final

import requests

from gcs_ci_lock.core.strict import Invalid, Reader, parsed
from gcs_ci_lock.ports import Clock

TIMEOUT: Final = 5.0
# A server that drips is given up after so long.
MOST_SECONDS: Final = 15.0
MOST_BYTES: Final = 1024 * 1024
_CHUNK: Final = 65_536
_OK: Final = 200


def ask(url: str, headers: Mapping[str, str], clock: Clock) -> dict[str, Any] | None:
    """Return the object at a URL, or None: no answer but 200 with a JSON object says anything.

    One request: it is not redirected, and no password of ~/.netrc replaces the token.

    Args:
        url: complete.
        headers: with the token.
        clock: for the time limit of the whole answer.
    """
    until = clock.boot() + MOST_SECONDS
    try:
        with requests.Session() as session:
            session.auth = _unchanged
            with session.get(
                url, headers=headers, timeout=TIMEOUT, allow_redirects=False, stream=True
            ) as answer:
                if answer.status_code != _OK:
                    return None
                body = b""
                for chunk in answer.iter_content(_CHUNK):
                    body += chunk
                    if len(body) > MOST_BYTES or clock.boot() > until:
                        return None
        return Reader("the answer", parsed(body)).json
    except (requests.RequestException, Invalid, ValueError, RecursionError, OSError):
        return None


def _unchanged(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request
