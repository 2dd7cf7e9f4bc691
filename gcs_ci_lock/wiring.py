"""Settings to concrete adapters; the only file that knows them all."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gcs_ci_lock.keepalive.lease_ref import LeaseRef
from gcs_ci_lock.locking.client import LockClient
from gcs_ci_lock.ports import Clock, ObjectStore, Random, ServerClock
from gcs_ci_lock.protocol.names import LockPaths
from gcs_ci_lock.protocol.timing import Timing
from gcs_ci_lock.storage.pinned import AMBIENT, PinnedCredentials
from gcs_ci_lock.system.clock import ObservedServerClock, SystemClock, SystemRandom


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """One bucket, and the clocks that go with it."""

    store: ObjectStore
    clock: Clock
    server_clock: ServerClock
    random: Random

    def lock(self, paths: LockPaths, timing: Timing) -> LockClient:
        """Return one lock of the bucket; no request is made."""
        return LockClient(
            paths,
            store=self.store,
            clock=self.clock,
            server_clock=self.server_clock,
            timing=timing,
        )


def connect(
    bucket: str,
    *,
    endpoint: str | None,
    environ: Mapping[str, str],
    pinned: PinnedCredentials | None = None,
    log: Callable[[str], None] | None = None,
) -> Connection:
    """Return a connection to a bucket; no request to the bucket is made.

    Args:
        bucket: its bare name.
        endpoint: another storage endpoint than Google's, or None.
        environ: where credentials and proxies are looked up.
        pinned: credentials; None: those that `environ` names.
        log: is given one line for each storage request.

    Raises:
        UsageError: the endpoint cannot be used.
        Denied: there are no credentials.
    """
    # Importing Google's client takes a quarter of a second: not before it is needed.
    from gcs_ci_lock.storage.connection import connect as connect_store  # noqa: PLC0415

    clock = SystemClock()
    server_clock = ObservedServerClock()
    store = connect_store(
        bucket,
        endpoint=endpoint,
        environ=environ,
        clock=clock,
        server_clock=server_clock,
        pinned=pinned,
        log=log,
    )
    return Connection(store=store, clock=clock, server_clock=server_clock, random=SystemRandom())


def open_lease(
    lease_ref: LeaseRef, *, environ: Mapping[str, str], pinned: PinnedCredentials | None = None
) -> tuple[Connection, LockClient]:
    """Return the lock of a lease that another process acquired; arguments as of `connect`.

    Raises:
        UsageError: the endpoint cannot be used.
        Denied: there are no credentials.
    """
    connection = connect(
        lease_ref.paths.location.bucket,
        endpoint=lease_ref.endpoint or None,
        environ=environ,
        pinned=pinned,
    )
    return connection, connection.lock(lease_ref.paths, lease_ref.timing)


def resolve_credentials(
    environ: Mapping[str, str],
    *,
    endpoint: str,
    credentials_json: str = "",
    provider: str = "",
    service_account: str = "",
    id_token: str = "",
) -> PinnedCredentials:
    """Return the credentials by their content, so that they outlive their file and this process.

    Args:
        environ: where they are looked up if none are given.
        endpoint: another storage endpoint than Google's, or "".
        credentials_json: a Google credential configuration or key, or "".
        provider: a workload identity provider, or "".
        service_account: an account to act as, together with `provider`, or "".
        id_token: the job's own token, or "": it is asked of GitHub.

    Raises:
        UsageError: what is given cannot be used.
        Denied: what the environment names cannot.
    """
    from gcs_ci_lock.storage.credentials import resolve_credentials as pin_credentials  # noqa: PLC0415 - as above
    from gcs_ci_lock.storage.endpoint import Endpoint  # noqa: PLC0415
    from gcs_ci_lock.storage.federation import Federation  # noqa: PLC0415

    if Endpoint.choose(endpoint, environ).anonymous:
        return AMBIENT
    federation = Federation(provider=provider, service_account=service_account, id_token=id_token)
    return pin_credentials(environ, credentials_json=credentials_json, federation=federation)
