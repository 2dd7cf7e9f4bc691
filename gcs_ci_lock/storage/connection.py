"""Google's client for Cloud Storage, on a session that reports the `Date` of every response."""

from collections.abc import Callable
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, Final

import requests
from google.auth import credentials as auth_credentials
from google.auth.transport.requests import AuthorizedSession
from google.cloud import storage
from requests.adapters import HTTPAdapter

from gcs_ci_lock.ports import Clock, ServerClock
from gcs_ci_lock.protocol.text import printable
from gcs_ci_lock.storage.endpoint import Endpoint
from gcs_ci_lock.system.http_auth import no_auth

GOOGLE: Final = "https://storage.googleapis.com"


def storage_client(
    server: Endpoint, credentials: auth_credentials.Credentials | None, adapter: HTTPAdapter
) -> storage.Client:
    """Return Google's client for a server; no request is made.

    Args:
        server: the storage server.
        credentials: None for a server that is used anonymously.
        adapter: sends the requests to the storage server; those for tokens go another way.
    """
    session = requests.Session()
    if credentials is not None:
        # A refused token is refreshed once: a request that got 401 was not carried out.
        session = AuthorizedSession(credentials, max_refresh_attempts=1)
    # Otherwise a password in ~/.netrc would replace the token.
    session.auth = no_auth
    if server.loopback:
        # Requests that never leave this machine must not go through a proxy.
        session.trust_env = False
    session.max_redirects = 0
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    client = storage.Client(
        # No request of ours names a project; without one the client would look for it.
        project="none",
        credentials=credentials or auth_credentials.AnonymousCredentials(),
        _http=session,
        # Always set: otherwise the client takes one from the environment, plain http included.
        client_options={"api_endpoint": server.url or GOOGLE},
    )
    # To label traces that are not collected here, the client would read the bucket's metadata: two
    # more requests per call, with a permission that the lock does not need.
    client._bucket_metadata_cache = None  # noqa: SLF001 - there is no public switch
    return client


class ObservedAdapter(HTTPAdapter):
    """Reports the `Date` of every response to the server clock, whatever its status.

    Requests for tokens go through another session: their `Date` is another server's.

    Args:
        clock: measures when each request was sent and its response received.
        server_clock: gets every `Date`.
        log: gets one line per request: method, URL, status and duration.
    """

    def __init__(
        self, *, clock: Clock, server_clock: ServerClock, log: Callable[[str], None] | None = None
    ) -> None:
        super().__init__(max_retries=0)
        self._clock = clock
        self._server_clock = server_clock
        self._log = log

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # type: ignore[override]  # noqa: ANN401 - passed on as they came
        """Send one request; see `requests.adapters.HTTPAdapter.send`."""
        sent = self._clock.boottime()
        outcome = "no answer"
        try:
            response = super().send(request, **options)
            received = self._clock.boottime()
            outcome = str(response.status_code)
            date = parse_date(response.headers.get("Date", ""))
            if date is not None:
                self._server_clock.observe(date=date, sent=sent, received=received)
            return response
        finally:
            if self._log is not None:
                url = printable(request.url or "", limit=300)
                took = (self._clock.boottime() - sent) * 1000
                self._log(f"{request.method} {url} -> {outcome} in {took:.0f} ms")


def parse_date(header: str) -> float | None:
    """Return a `Date` header as seconds since the epoch, or None if it is not a date."""
    try:
        moment = parsedate_to_datetime(header)
        # One of the three forms that HTTP allows names no zone; all three are in UTC.
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
