"""What people write, as one `LockRequest`; the same rules for flags, inputs and variables."""

from gcs_ci_lock.core.names import Location, LockPaths, checked_name
from gcs_ci_lock.core.record import Owner
from gcs_ci_lock.core.request import LockRequest
from gcs_ci_lock.core.tickets import parse_slots
from gcs_ci_lock.core.timing import Timing, parse_duration, spoken
from gcs_ci_lock.errors import UsageError

MAX_WAIT = 30 * 86_400.0
MAX_HOLD = 7 * 86_400.0


def lock_paths(*, name: str, bucket: str) -> LockPaths:
    """Return the objects of a lock.

    Raises:
        UsageError: the bucket is missing, or one of them is not well-formed.
    """
    if not bucket.strip():
        message = (
            "no bucket is given: expected BUCKET or gs://BUCKET/PREFIX as the action's input "
            "`bucket`, the option --bucket or the variable GCS_CI_LOCK_BUCKET"
        )
        raise UsageError(message)
    return LockPaths(location=Location.parse(bucket), name=checked_name(name))


def lock_request(
    *,
    name: str,
    bucket: str,
    slots: str,
    wait: str,
    ttl: str,
    max_hold: str,
    owner: Owner,
    kept: bool = True,
) -> LockRequest:
    """Return what is asked for.

    Args:
        name: the lock.
        bucket: BUCKET or gs://BUCKET/PREFIX.
        slots: an integer from 1, or "unlimited".
        wait: a duration; 0: one try.
        ttl: a duration, 30 s to 24 h.
        max_hold: a duration.
        owner: who asks.
        kept: whether a keeper will renew the lease; else it lasts 1.5 times max-hold.

    Raises:
        UsageError: one of them is wrong; the message names it.
    """
    held_for = _bounded(parse_duration(max_hold, "max-hold"), 1.0, MAX_HOLD, "max-hold")
    timing = Timing.for_ttl(parse_duration(ttl, "ttl"))
    return LockRequest(
        paths=lock_paths(name=name, bucket=bucket),
        owner=owner,
        slots=parse_slots(slots),
        wait=_bounded(parse_duration(wait, "wait"), 0.0, MAX_WAIT, "wait"),
        timing=timing if kept else Timing.unkept(held_for),
        max_hold=held_for,
    )


def _bounded(seconds: float, least: float, most: float, what: str) -> float:
    if least <= seconds <= most:
        return seconds
    message = (
        f"{what} {spoken(seconds)} is out of range: expected {spoken(least)} to {spoken(most)}"
    )
    raise UsageError(message)
