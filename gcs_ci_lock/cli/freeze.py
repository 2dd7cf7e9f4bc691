"""`freeze` and `unfreeze`: stop granting a lock, and grant it again."""

import os
import re
from datetime import datetime

from gcs_ci_lock.cli.acquire import connect_bucket
from gcs_ci_lock.errors import UsageError
from gcs_ci_lock.locking import admin
from gcs_ci_lock.locking.client import LockClient
from gcs_ci_lock.locking.request import lock_paths
from gcs_ci_lock.locking.retry import retry
from gcs_ci_lock.platforms import current
from gcs_ci_lock.protocol.duration import parse_duration
from gcs_ci_lock.protocol.json_reader import MAX_TIME
from gcs_ci_lock.protocol.record import Freeze
from gcs_ci_lock.protocol.text import printable
from gcs_ci_lock.protocol.timing import DEFAULT_TTL, Timing
from gcs_ci_lock.report.format import freeze_text, who
from gcs_ci_lock.system.console import print_err
from gcs_ci_lock.wiring import Connection


def freeze(name: str, *, bucket: str, endpoint: str, reason: str, until: str, verbose: bool) -> int:
    """Freeze a lock; return the exit code.

    Raises:
        UsageError: an option is wrong.
        StorageUnreachable: the server does not answer.
        LockError: anything else that went wrong.
    """
    if not reason.strip():
        message = "--reason is empty: expected a text that waiters will see"
        raise UsageError(message)
    # Report a wrong option before any request.
    _ends_at(until, 0.0)
    connection, lock = _open(name, bucket=bucket, endpoint=endpoint, verbose=verbose)
    retry(lock, connection.random, lock.read)
    now = lock.now().earliest
    frozen = Freeze(
        reason=reason,
        author=who(current(os.environ).owner(os.environ)),
        since=now,
        until=_ends_at(until, now),
    )
    replaced = retry(lock, connection.random, lambda: admin.freeze(lock, frozen))
    print_err(f'Lock "{name}" frozen {freeze_text(frozen, now)}')
    if replaced is not None:
        print_err(f"Replaced the freeze {freeze_text(replaced, now)}")
    return 0


def unfreeze(name: str, *, bucket: str, endpoint: str, verbose: bool) -> int:
    """Unfreeze a lock; return the exit code.

    Raises:
        StorageUnreachable: the server does not answer.
        LockError: anything else that went wrong.
    """
    connection, lock = _open(name, bucket=bucket, endpoint=endpoint, verbose=verbose)
    retry(lock, connection.random, lock.read)
    ended = retry(lock, connection.random, lambda: admin.unfreeze(lock))
    if ended is None:
        print_err(f'Lock "{name}" is not frozen: nothing to do')
    else:
        was = freeze_text(ended, lock.now().earliest)
        print_err(f'Lock "{name}" unfrozen; it was frozen {was}')
    return 0


def _open(name: str, *, bucket: str, endpoint: str, verbose: bool) -> tuple[Connection, LockClient]:
    paths = lock_paths(name=name, bucket=bucket)
    connection = connect_bucket(paths.location.bucket, endpoint, verbose=verbose)
    return connection, connection.lock(paths, Timing.for_ttl(DEFAULT_TTL))


def _ends_at(text: str, now: float) -> float | None:
    """Return the server time for `--until`: a duration from now, or a moment with its zone."""
    text = text.strip()
    if not text:
        return None
    if not re.match(r"[0-9]{4}-", text):
        return _in_future(now + _duration(text), now, text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise _no_time(text)
    return _in_future(moment.timestamp(), now, text)


def _duration(text: str) -> float:
    try:
        return parse_duration(text, "until")
    except UsageError:
        raise _no_time(text) from None


def _no_time(text: str) -> UsageError:
    return UsageError(
        f'until "{printable(text)}" is not a time: expected a duration like 2h, or a moment '
        "with its zone like 2026-11-24T06:00Z"
    )


def _in_future(moment: float, now: float, text: str) -> float:
    if now < moment <= MAX_TIME:
        return moment
    wrong = "is over already" if moment <= now else "is too far away"
    message = (
        f'until "{printable(text)}" {wrong}: expected a time in the future. Without --until '
        "a freeze lasts until `unfreeze`"
    )
    raise UsageError(message)
