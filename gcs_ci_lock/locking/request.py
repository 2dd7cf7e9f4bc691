"""What is asked for, and what is got: the two small values that travel between the parts."""

import math
from dataclasses import dataclass

from gcs_ci_lock.protocol.names import LockPaths
from gcs_ci_lock.protocol.queue import DEFAULT_PRIORITY, Claimant
from gcs_ci_lock.protocol.record import Owner, Slots
from gcs_ci_lock.protocol.timing import Timing

DEFAULT_WAIT = 1800.0
DEFAULT_MAX_HOLD = 21_600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LockRequest:
    """Everything that a job says about the lock it wants; never read again from elsewhere.

    Attributes:
        slots: holders that the job tolerates in total, itself included.
        wait: seconds to wait at most, for all locks that are asked for together; 0: one try.
        spent: seconds of `wait` that are over already.
        beside: names of the locks that were asked for together with it and are held already.
        max_hold: seconds after which the lease is renewed no more.
        priority: 0 to 9, higher first.
        newest: whether older waiters of the same line become void.
        sequence: a rising number of the job's line, or None; a lower one than one that was granted
            never enters.
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
        """Return who asks with a lease id, before the lock was looked at."""
        return Claimant(
            lease=lease,
            owner=self.owner,
            slots=self.slots,
            ttl=self.timing.ttl,
            asked_at=math.nan,
            priority=self.priority,
            newest=self.newest,
            sequence=self.sequence,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseState:
    """A lease as its own holder believes in it; what the bucket says may differ.

    In model/lock.pml: BELIEVED.

    Attributes:
        lease: the lease id.
        token: the fencing token.
        timing: the lease's times.
        beat: number of the last acknowledged write.
        sent_at: boot clock when that write was begun, seconds.
        expires_at: server time that it stamped.
    """

    id: str
    token: int
    timing: Timing
    revision: int
    sent_at: float
    expires_at: float

    @property
    def deadline(self) -> float:
        """Boot clock from which on the lease is lost, whatever cannot be reached."""
        return self.sent_at + self.timing.give_up

    def believes_held(self, boot: float, latest: float = -math.inf) -> bool:
        """Tell whether the holder may still believe that it holds the lock.

        Args:
            boot: the boot clock now.
            latest: the server time now, at the latest.
        """
        return boot < self.deadline and latest < self.expires_at - self.timing.margin
