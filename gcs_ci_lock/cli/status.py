"""`status`: who holds the locks, and who waits."""

import sys
from collections.abc import Sequence

from gcs_ci_lock.cli.acquire import connect_bucket
from gcs_ci_lock.errors import OutcomeUnknown, RecordInvalid, StorageUnreachable, UsageError
from gcs_ci_lock.locking.request import lock_paths
from gcs_ci_lock.protocol.names import Location, LockPaths, validate_name
from gcs_ci_lock.protocol.queue import active
from gcs_ci_lock.protocol.text import printable_json
from gcs_ci_lock.protocol.timing import DEFAULT_TTL, Timing
from gcs_ci_lock.protocol.transitions import drop_expired, empty_record
from gcs_ci_lock.report.status import LockStatus, status_json, status_lines
from gcs_ci_lock.system.console import print_err, write_line
from gcs_ci_lock.wiring import Connection

LIST_TIMEOUT = 30.0


def status(
    names: Sequence[str], *, bucket: str, endpoint: str, as_json: bool, verbose: bool
) -> int:
    """Print the state of locks; return the exit code.

    Raises:
        StorageUnreachable: the server did not answer.
        LockError: anything else that went wrong.
    """
    wanted = [lock_paths(name=name, bucket=bucket) for name in names]
    location = lock_paths(name="any", bucket=bucket).location
    connection = connect_bucket(location.bucket, endpoint, verbose=verbose)
    try:
        paths = wanted or _all_locks(connection, location)
        looks = [_look(connection, one) for one in paths]
    except OutcomeUnknown as trouble:
        raise StorageUnreachable(str(trouble)) from trouble
    statuses = [look for look in looks if isinstance(look, LockStatus)]
    refused = [look for look in looks if isinstance(look, RecordInvalid)]
    for error in refused:
        print_err(f"gcs-ci-lock: {error}")
    exit_code = RecordInvalid.exit_code if refused else 0
    if as_json:
        write_line(sys.stdout, printable_json({"locks": [status_json(one) for one in statuses]}))
        return exit_code
    for one in statuses:
        write_line(sys.stdout, "\n".join(status_lines(one)))
    if not looks:
        write_line(sys.stdout, f"There is no lock in {location}")
    return exit_code


def _look(connection: Connection, paths: LockPaths) -> LockStatus | RecordInvalid:
    lock = connection.lock(paths, Timing.for_ttl(DEFAULT_TTL))
    try:
        stored = lock.read()
    except RecordInvalid as error:
        # The other locks are still worth a look.
        return error
    tickets = lock.tickets()
    earliest = lock.now().earliest
    record = drop_expired(stored.record or empty_record(paths.name, earliest), earliest)
    waiting = tuple(active(tickets, record, earliest))
    return LockStatus(
        name=paths.name, uri=paths.uri, record=record, waiters=waiting, earliest=earliest
    )


def _all_locks(connection: Connection, location: Location) -> list[LockPaths]:
    entries = connection.store.list(f"{location.prefix}/", timeout=LIST_TIMEOUT)
    names = (
        entry.path.removeprefix(f"{location.prefix}/").removesuffix("/lock.json")
        for entry in entries
        if entry.path.endswith("/lock.json")
    )
    return [LockPaths(location=location, name=name) for name in names if _is_name(name)]


def _is_name(name: str) -> bool:
    try:
        validate_name(name)
    except UsageError:
        return False
    return True
