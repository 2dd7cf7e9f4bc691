"""Create the adapters from settings; the only module that knows them all."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gcs_ci_lock.errors import UsageError
from gcs_ci_lock.keepalive.lease_ref import LeaseRef
from gcs_ci_lock.locking.client import LockClient
from gcs_ci_lock.ports import Clock, ObjectStore, Random, ServerClock
from gcs_ci_lock.protocol.names import LockPaths
from gcs_ci_lock.protocol.timing import Timing
from gcs_ci_lock.storage.endpoint import Endpoint
from gcs_ci_lock.storage.federation import Federation, federated
from gcs_ci_lock.storage.pinned import AMBIENT, PinnedCredentials
from gcs_ci_lock.system.clock import ObservedServerClock, SystemClock, SystemRandom

if TYPE_CHECKING:
    from gcs_ci_lock.keepalive.sidecar.engine import Engine


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """One bucket, with the clocks and the randomness for its locks."""

    store: ObjectStore
    clock: Clock
    server_clock: ServerClock
    random: Random

    def lock(self, paths: LockPaths, timing: Timing) -> LockClient:
        """Return one lock of the bucket; makes no request."""
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
    """Return a connection to a bucket; makes no request to the storage server.

    Args:
        bucket: its bare name.
        endpoint: URL of the storage server, or None or "" for Google's.
        environ: names the credentials' file; has STORAGE_EMULATOR_HOST only with an endpoint.
        pinned: credentials; None: those that `environ` names, otherwise the machine's.
        log: gets one line per storage request.

    Raises:
        UsageError: the endpoint cannot be used.
        Denied: there are no usable credentials.
    """
    # Importing Google's client takes 0.25 s.
    from gcs_ci_lock.storage.connection import ObservedAdapter, storage_client  # noqa: PLC0415
    from gcs_ci_lock.storage.credentials import load, load_named  # noqa: PLC0415
    from gcs_ci_lock.storage.gcs import GcsStore  # noqa: PLC0415

    server = Endpoint.choose(endpoint, environ)
    if server.anonymous:
        credentials = None
    else:
        credentials = load_named(environ) if pinned is None else load(pinned)
    clock, server_clock = SystemClock(), ObservedServerClock()
    adapter = ObservedAdapter(clock=clock, server_clock=server_clock, log=log)
    return Connection(
        store=GcsStore(storage_client(server, credentials, adapter), bucket),
        clock=clock,
        server_clock=server_clock,
        random=SystemRandom(),
    )


def open_lease(
    lease_ref: LeaseRef, *, environ: Mapping[str, str], pinned: PinnedCredentials | None = None
) -> tuple[Connection, LockClient]:
    """Return the lock of a lease that another process acquired; arguments as for `connect`.

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


def connect_engine(environ: Mapping[str, str], clock: Clock) -> "Engine":
    """Return the Docker engine that the runner uses.

    Raises:
        SidecarUnavailable: there is no engine, or it refuses.
    """
    from gcs_ci_lock.keepalive.sidecar.engine import connect  # noqa: PLC0415 - docker is slow too

    return connect(environ, clock)


def resolve_credentials(
    environ: Mapping[str, str],
    *,
    endpoint: str = "",
    credentials_json: str = "",
    provider: str = "",
    service_account: str = "",
    id_token: str = "",
) -> PinnedCredentials:
    """Return the credentials by their content, so that another process can use them later.

    The first that is given counts: the workload identity, `credentials_json`, the file that
    `environ` names, gcloud's own file, the machine's credentials.

    Args:
        environ: names the credentials' file, and holds GitHub's access to ID tokens.
        endpoint: URL of the storage server, or "" for Google's.
        credentials_json: a Google credential configuration or key, or "".
        provider: a workload identity provider, or "".
        service_account: an account to impersonate, together with `provider`, or "".
        id_token: the job's ID token, or "": GitHub is asked for one when it is needed.

    Raises:
        UsageError: an argument is invalid.
        Denied: the file that `environ` names is unusable.
    """
    from gcs_ci_lock.storage.credentials import pin_json, pin_named  # noqa: PLC0415 - as above

    if Endpoint.choose(endpoint, environ).anonymous:
        return AMBIENT
    if provider or service_account:
        if credentials_json:
            message = (
                "credentials-json and workload-identity-provider are both given: expected one of "
                "them"
            )
            raise UsageError(message)
        federation = Federation(
            provider=provider, service_account=service_account, id_token=id_token
        )
        return PinnedCredentials(info=federated(federation, environ))
    return pin_json(credentials_json) if credentials_json else pin_named(environ)
