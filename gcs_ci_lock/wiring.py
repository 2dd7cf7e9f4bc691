"""Settings to concrete adapters; the only file that knows them all."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gcs_ci_lock.clock import ObservedServerClock, SystemChance, SystemClock
from gcs_ci_lock.core.names import LockPaths
from gcs_ci_lock.core.timing import Timing
from gcs_ci_lock.lock import Lock
from gcs_ci_lock.ports import Chance, Clock, ServerClock, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """One bucket, and the clocks that go with it."""

    store: Store
    clock: Clock
    server_clock: ServerClock
    chance: Chance

    def lock(self, paths: LockPaths, timing: Timing) -> Lock:
        """Return one lock of the bucket; no request is made."""
        return Lock(
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
    log: Callable[[str], None] | None = None,
) -> Connection:
    """Return a connection to a bucket; no request to the bucket is made.

    Args:
        bucket: its bare name.
        endpoint: another storage endpoint than Google's, or None.
        environ: where credentials and proxies are looked up.
        log: is given one line for each storage request.

    Raises:
        UsageError: the endpoint cannot be used.
        Denied: there are no credentials.
    """
    # Importing Google's client takes a quarter of a second: not before it is needed.
    from gcs_ci_lock.stores.gcs import connect as connect_store  # noqa: PLC0415

    clock = SystemClock()
    server_clock = ObservedServerClock()
    store = connect_store(
        bucket,
        endpoint=endpoint,
        environ=environ,
        clock=clock,
        server_clock=server_clock,
        log=log,
    )
    return Connection(store=store, clock=clock, server_clock=server_clock, chance=SystemChance())
