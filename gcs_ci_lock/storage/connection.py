"""A connection to Cloud Storage: who we are there, and what its answers say of the time."""

from collections.abc import Callable, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

import requests
from google.auth import credentials as auth_credentials
from google.auth.transport.requests import AuthorizedSession
from google.cloud import storage
from requests.adapters import HTTPAdapter

from gcs_ci_lock.ports import Clock, ServerClock
from gcs_ci_lock.protocol.text import printable
from gcs_ci_lock.storage.credentials import load, load_named
from gcs_ci_lock.storage.endpoint import Endpoint
from gcs_ci_lock.storage.gcs import GcsStore
from gcs_ci_lock.storage.pinned import PinnedCredentials
from gcs_ci_lock.system.http_auth import no_auth

GOOGLE = "https://storage.googleapis.com"


def connect(
    bucket: str,
    *,
    endpoint: str | None,
    environ: Mapping[str, str],
    pinned: PinnedCredentials | None = None,
    clock: Clock,
    server_clock: ServerClock,
    log: Callable[[str], None] | None = None,
) -> GcsStore:
    """Return a store for a bucket; nothing is asked of the bucket.

    Args:
        bucket: its bare name.
        endpoint: another server's URL, or None for Google's.
        environ: tells whether STORAGE_EMULATOR_HOST is set, and where credentials are.
        pinned: credentials; None: those that `environ` names.
        clock: dates the requests.
        server_clock: is shown every `Date`.
        log: is given one line for each request.

    Raises:
        UsageError: the endpoint cannot be used.
        Denied: there are no credentials.
    """
    target = Endpoint.choose(endpoint, environ)
    credentials = (
        _anonymous()
        if target.anonymous
        else (load_named(environ) if pinned is None else load(pinned))
    )
    session = requests.Session()
    if not target.anonymous:
        # A token that is refused is renewed once: a request that got 401 was not carried out.
        session = AuthorizedSession(credentials, max_refresh_attempts=1)
    # Else a password of ~/.netrc would replace the token.
    session.auth = no_auth
    if target.loopback:
        # A proxy for the world outside must not divert what never leaves this machine.
        session.trust_env = False
    session.max_redirects = 0
    adapter = _Observed(clock, server_clock, log)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    client = storage.Client(
        # No request of ours names a project; without one the client would look for it.
        project="none",
        credentials=credentials,
        _http=session,
        # Always: where none is given, the client takes one from the environment, http included.
        client_options={"api_endpoint": target.url or GOOGLE},
    )
    # The client asks for the bucket's metadata behind our back, to label traces that nobody
    # collects: two requests a call, by a permission that we do not need.
    client._bucket_metadata_cache = None  # noqa: SLF001 - there is no public switch
    return GcsStore(client, bucket)


class _Observed(HTTPAdapter):
    """Shows the `Date` of every answer, refusals included, to the server clock.

    Requests for tokens go through another session: their `Date` is another server's.
    """

    def __init__(
        self, clock: Clock, server_clock: ServerClock, log: Callable[[str], None] | None
    ) -> None:
        super().__init__(max_retries=0)
        self._clock = clock
        self._server_clock = server_clock
        self._log = log

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # type: ignore[override]  # noqa: ANN401 - handed on as they came
        sent = self._clock.boottime()
        outcome = "no answer"
        try:
            response = super().send(request, **options)
            received = self._clock.boottime()
            outcome = str(response.status_code)
            date = _date(response.headers.get("Date", ""))
            if date is not None:
                self._server_clock.observe(date=date, sent=sent, received=received)
            return response
        finally:
            if self._log is not None:
                url = printable(request.url or "", limit=300)
                took = (self._clock.boottime() - sent) * 1000
                self._log(f"{request.method} {url} -> {outcome} in {took:.0f} ms")


def _date(header: str) -> float | None:
    try:
        moment = parsedate_to_datetime(header)
        # Of the three forms that HTTP allows one names no zone; all three are in UTC.
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _anonymous() -> auth_credentials.Credentials:
    return auth_credentials.AnonymousCredentials()
