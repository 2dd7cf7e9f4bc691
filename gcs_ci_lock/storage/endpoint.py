"""The storage server that is used, and whether credentials may be sent there."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from gcs_ci_lock.errors import UsageError
from gcs_ci_lock.protocol.text import printable


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A storage server.

    Attributes:
        url: without a path, or "" for Google's own.
        anonymous: credentials are neither looked up nor sent.
        loopback: requests never leave this machine.
    """

    url: str
    anonymous: bool
    loopback: bool

    @classmethod
    def choose(cls, given: str | None, environ: Mapping[str, str]) -> "Endpoint":
        """Return the server to use.

        Credentials are never sent over plain http, and plain http never leaves this machine.

        Args:
            given: a URL, or None or "" for Google's own server.
            environ: STORAGE_EMULATOR_HOST without `given` is refused: a leftover variable must
                not send a production lock to an emulator.

        Raises:
            UsageError: the URL is invalid, or only the variable is set.
        """
        if not given:
            if emulator := environ.get("STORAGE_EMULATOR_HOST"):
                message = (
                    f'STORAGE_EMULATOR_HOST is set to "{printable(emulator)}" but no endpoint is '
                    "given: unset it, or pass the server with --endpoint (in a workflow: the input "
                    "`endpoint`)"
                )
                raise UsageError(message)
            return cls(url="", anonymous=False, loopback=False)
        scheme, host, url = _parts(given)
        loopback = _is_loopback(host)
        if scheme == "http" and not loopback:
            message = (
                f'endpoint "{printable(given)}" is plain http to another machine: expected https, '
                "or http to 127.0.0.1, ::1 or localhost"
            )
            raise UsageError(message)
        return cls(url=url, anonymous=scheme == "http", loopback=loopback)


def _parts(given: str) -> tuple[str, str, str]:
    message = f'endpoint "{printable(given)}" is not valid: expected a URL like https://HOST[:PORT]'
    try:
        parts = urlsplit(given.strip())
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise UsageError(message) from None
    extra = parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc
    if parts.scheme not in ("http", "https") or not host or extra:
        raise UsageError(message)
    return parts.scheme, host, f"{parts.scheme}://{parts.netloc}"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
