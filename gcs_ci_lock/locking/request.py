"""What a job asks for: settings as people write them, and one request per lock."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from gcs_ci_lock.errors import UsageError
from gcs_ci_lock.protocol.duration import format_duration, parse_duration
from gcs_ci_lock.protocol.names import Location, LockPaths, validate_name
from gcs_ci_lock.protocol.queue import DEFAULT_PRIORITY, Claimant
from gcs_ci_lock.protocol.record import Owner
from gcs_ci_lock.protocol.slots import Slots, parse_slots
from gcs_ci_lock.protocol.text import printable
from gcs_ci_lock.protocol.ticket_metadata import MAX_PRIORITY
from gcs_ci_lock.protocol.timing import Timing

QUEUES: Final = ("fifo", "newest")
MAX_SEQUENCE: Final = 10**18
MAX_WAIT = 30 * 86_400.0
MAX_HOLD = 7 * 86_400.0


DEFAULT_WAIT = 1800.0
DEFAULT_MAX_HOLD = 21_600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LockRequest:
    """The complete request for one lock.

    Attributes:
        paths: the lock's objects.
        owner: the job.
        slots: how many jobs may hold the lock together.
        wait: seconds to wait at most for all locks of the job; 0: do not wait.
        spent: seconds of `wait` that are over already.
        also_holding: names of the job's other locks that it holds already.
        timing: the times of the lease.
        max_hold: seconds after which the lease is not renewed any more.
        priority: 0 to 9, higher first.
        newest: whether older waiters of the same job are superseded.
        sequence: a number that only grows, or None; a job whose number is lower than one already
            granted is outdated.
    """

    paths: LockPaths
    owner: Owner
    slots: Slots = 1
    wait: float = DEFAULT_WAIT
    spent: float = 0.0
    also_holding: tuple[str, ...] = ()
    timing: Timing
    max_hold: float = DEFAULT_MAX_HOLD
    priority: int = DEFAULT_PRIORITY
    newest: bool = False
    sequence: int | None = None

    def claimant(self, lease: str) -> Claimant:
        """Return the claimant with this lease id, before the first read of the lock."""
        return Claimant(
            lease=lease,
            owner=self.owner,
            slots=self.slots,
            ttl=self.timing.ttl,
            priority=self.priority,
            newest=self.newest,
            sequence=self.sequence,
        )


def lock_paths(*, name: str, bucket: str) -> LockPaths:
    """Return the objects of a lock.

    Raises:
        UsageError: the bucket is missing, or the bucket or the name is malformed.
    """
    if not bucket.strip():
        message = (
            "no bucket is given: expected BUCKET or gs://BUCKET/PREFIX as the action's input "
            "`bucket`, the option --bucket or the variable GCS_CI_LOCK_BUCKET"
        )
        raise UsageError(message)
    return LockPaths(location=Location.parse(bucket), name=validate_name(name))


@dataclass(frozen=True, slots=True, kw_only=True)
class LockSettings:
    """The settings of a job's locks, as people write them.

    Attributes:
        names: the locks; all or none are acquired.
        bucket: BUCKET or gs://BUCKET/PREFIX.
        slots: an integer from 1, or "unlimited".
        wait: a duration; 0: do not wait.
        ttl: a duration, 30 s to 24 h.
        max_hold: a duration.
        queue: "fifo", or "newest".
        priority: an integer from 0 to 9, higher first.
        sequence: an integer from 0, or "".
    """

    names: Sequence[str]
    bucket: str
    slots: str = "1"
    wait: str = "30m"
    ttl: str = "2m"
    max_hold: str = "6h"
    queue: str = "fifo"
    priority: str = str(DEFAULT_PRIORITY)
    sequence: str = ""

    def requests(self, *, owner: Owner, renewed: bool = True) -> tuple[LockRequest, ...]:
        """Return one request per lock, in the order in which to acquire them.

        The order is the same for all jobs, so that no two jobs wait for each other.

        Args:
            owner: the job.
            renewed: whether a keeper will renew the leases; otherwise they last 1.5 x max-hold.

        Raises:
            UsageError: a setting is wrong; the message names it.
        """
        bucket = self.bucket
        paths = [lock_paths(name=name, bucket=bucket) for name in sorted(set(self.names) or {""})]
        max_hold = _bounded(parse_duration(self.max_hold, "max-hold"), 1.0, MAX_HOLD, "max-hold")
        timing = Timing.for_ttl(parse_duration(self.ttl, "ttl"))
        if self.queue not in QUEUES:
            message = f'queue "{printable(self.queue)}" is not valid: expected fifo or newest'
            raise UsageError(message)
        first = LockRequest(
            paths=paths[0],
            owner=owner,
            slots=parse_slots(self.slots),
            wait=_bounded(parse_duration(self.wait, "wait"), 0.0, MAX_WAIT, "wait"),
            timing=timing if renewed else Timing.without_renewal(max_hold),
            max_hold=max_hold,
            priority=_integer(self.priority, "priority", most=MAX_PRIORITY),
            newest=self.queue == "newest",
            sequence=_integer(self.sequence, "sequence") if self.sequence else None,
        )
        return tuple(replace(first, paths=one) for one in paths)


def _integer(text: str, what: str, most: int = MAX_SEQUENCE) -> int:
    if re.fullmatch(r"[0-9]{1,19}", text) and int(text) <= most:
        return int(text)
    message = f'{what} "{printable(text)}" is not valid: expected an integer from 0 to {most}'
    raise UsageError(message)


def _bounded(seconds: float, least: float, most: float, what: str) -> float:
    if least <= seconds <= most:
        return seconds
    found, lowest, highest = (format_duration(one) for one in (seconds, least, most))
    message = f"{what} {found} is out of range: expected {lowest} to {highest}"
    raise UsageError(message)
