"""What must hold in every run; each property has a name, and the first broken one ends the run."""

import json
import math
from dataclasses import dataclass, field
from typing import Any, Literal

from gcs_ci_lock.core.record import HISTORY_LENGTH, UNLIMITED, Slots
from gcs_ci_lock.keeper import Keeper
from tests.simulation.cloud import Client, Cloud

Property = Literal[
    "exclusion",
    "tokens rise",
    "no foreign release",
    "no renewal after give-up",
    "no false loss",
    "bounded hand-over",
    "queue order",
    "no starvation",
    "cancel leaves nothing",
    "history complete",
    "no crash",
]


# Ten times what the longest runs take.
MOST_MOMENTS = 100_000


class BrokenError(Exception):
    """A property does not hold."""

    def __init__(self, broken: Property, what: str) -> None:
        super().__init__(f"{broken}: {what}")
        self.broken = broken


@dataclass
class Seen:
    """One job as the judge sees it.

    Attributes:
        leases: every lease id that it asked with.
        asked_at: true time of its first request.
        ticket_sent_at: true time at which it began to write its first ticket, or infinite.
        ticket_at: true time at which that ticket was there, or infinite.
        keeper: while it is inside.
        gave_up: its deadline has passed by its own clock.
        ended: it has gone for good, "" while it has not.
        clean: it left knowing that nothing of it remains.
    """

    client: Client
    slots: Slots
    asked_at: float
    leases: list[str] = field(default_factory=list)
    ticket_sent_at: float = math.inf
    ticket_at: float = math.inf
    keeper: Keeper | None = None
    gave_up: bool = False
    ended: str = ""
    clean: bool = False

    @property
    def waits(self) -> bool:
        return not self.ended and self.keeper is None


@dataclass(frozen=True)
class Expected:
    """Which of the conditional properties a run must keep."""

    calm: bool
    no_loss: bool
    all_enter: bool


class Judge:
    """Looks at every write that the server carries out, and at every moment in between."""

    def __init__(self, cloud: Cloud, expected: Expected) -> None:
        self._cloud = cloud
        self._expected = expected
        self._jobs: dict[str, Seen] = {}
        self._highest = 0
        self._room_at = 0.0
        self.granted: list[str] = []
        self.deleted = False
        self._moments = 0
        # Leases whose record somebody has deleted under them.
        self._void: set[str] = set()
        self.inside: list[Seen] = []

    @property
    def now(self) -> float:
        return self._cloud.scheduler.now

    def comes(self, client: Client, slots: Slots) -> Seen:
        seen = Seen(client, slots, self.now)
        self._jobs[client.name] = seen
        return seen

    # What the server sees.

    def sends(self, client: Client, path: str, body: bytes) -> None:
        """Look at a write on its way out."""
        seen = self._jobs[client.name]
        if "/queue/" in path:
            seen.ticket_sent_at = min(seen.ticket_sent_at, self.now)
            return
        if not seen.gave_up:
            return
        there = self._cloud.bucket.objects.get(path)
        before = _beats(there.body if there else None)
        for lease, beat in _beats(body).items():
            if lease in seen.leases and before.get(lease, beat) != beat:
                text = f"{client.name} renews {lease} after its deadline"
                raise BrokenError("no renewal after give-up", text)

    def wrote(self, client: Client, path: str, before: bytes | None, body: bytes) -> None:
        """Look at a write that has been carried out."""
        writer = self._jobs[client.name]
        if "/queue/" in path:
            writer.ticket_at = min(writer.ticket_at, self.now)
            return
        old, new = _parsed(before), _parsed(body)
        was = {h["lease"]: h for h in old["holders"]}
        now = {h["lease"]: h for h in new["holders"]}
        ends = {e["lease"]: e for e in new["history"]}
        if not was and not now and before is None:
            self._room_at = self.now
        for lease, holder in was.items():
            if lease not in now:
                self._gone(writer, holder, ends.get(lease))
        for lease, holder in now.items():
            if lease not in was:
                self._granted(writer, holder, list(was.values()), list(now.values()))

    def _gone(self, writer: Seen, holder: dict[str, Any], end: dict[str, Any] | None) -> None:
        lease = holder["lease"]
        if end is None:
            text = f"{writer.client.name} drops {lease} without a word"
            raise BrokenError("history complete", text)
        early = holder["expires_at"] - self._cloud.time
        if end["outcome"] == "released" and lease not in writer.leases:
            text = f"{writer.client.name} releases {lease}"
            raise BrokenError("no foreign release", text)
        if end["outcome"] == "expired" and early > holder["ttl"] / 6 + 1:
            text = f"{writer.client.name} takes {lease} over {early:.1f} s early"
            raise BrokenError("no foreign release", text)
        self._room_at = self.now if end["outcome"] == "released" else self.now - max(-early, 0.0)

    def _granted(
        self,
        writer: Seen,
        holder: dict[str, Any],
        was: list[dict[str, Any]],
        now: list[dict[str, Any]],
    ) -> None:
        name, lease, token = writer.client.name, holder["lease"], holder["token"]
        if lease not in writer.leases:
            raise BrokenError("no foreign release", f"{name} claims for {lease}")
        if token <= self._highest:
            text = f"{name} gets {token}, after {self._highest}"
            raise BrokenError("tokens rise", text)
        self._highest = token
        if writer.ended and writer.clean:
            raise BrokenError("cancel leaves nothing", f"a claim of {name} lands after its end")
        if lease in self.granted and not self.deleted:
            raise BrokenError("tokens rise", f"{lease} is granted twice")
        self.granted.append(lease)
        self._void.discard(lease)
        if self._expected.calm:
            self._in_order(writer, was, now)

    def _in_order(self, writer: Seen, was: list[dict[str, Any]], now: list[dict[str, Any]]) -> None:
        # Who entered without a ticket began when it asked.
        begun = min(writer.ticket_sent_at, self.now)
        if writer.ticket_sent_at == math.inf:
            begun = writer.asked_at
        # A claim that has landed, and whose answer is on its way, waits no more.
        inside = {h["lease"] for h in was}
        for other in self._jobs.values():
            if other is writer or not other.waits or other.ticket_at >= begun:
                continue
            if not inside.isdisjoint(other.leases):
                continue
            # The later one keeps the earlier one out, perhaps beside others who do.
            if not _fits(now, other.slots):
                text = f"{writer.client.name} goes before {other.client.name}"
                raise BrokenError("queue order", text)
        waited = self.now - max(self._room_at, writer.asked_at)
        others = any(s.waits and s is not writer for s in self._jobs.values())
        # Several that come and go at once meet the limit of one write a second, and back off.
        most = 4.0 if all(s.slots == 1 for s in self._jobs.values()) else 14.0
        if not others and not was and waited > most and writer.ticket_at < math.inf:
            text = f"{writer.client.name} enters {waited:.1f} s after there was room"
            raise BrokenError("bounded hand-over", text)

    # What the jobs say.

    def enters(self, seen: Seen, keeper: Keeper) -> None:
        seen.keeper = keeper
        seen.gave_up = False
        self.inside.append(seen)

    def leaves(self, seen: Seen, *, lost: str) -> None:
        self.inside.remove(seen)
        if lost and self._expected.no_loss:
            raise BrokenError("no false loss", f"{seen.client.name}: {lost}")

    def ends(self, seen: Seen, how: str, *, clean: bool) -> None:
        if seen in self.inside:
            self.inside.remove(seen)
        seen.keeper = None
        seen.ended = how
        seen.clean = clean

    def deletes(self) -> None:
        """Somebody deletes the record, and answers for what follows."""
        self.deleted = True
        self._void.update(self.granted)

    def look(self) -> None:
        """Look at this very moment: who believes that it holds the lock?"""
        self._moments += 1
        if self._moments > MOST_MOMENTS:
            raise BrokenError("no crash", "somebody runs in circles")
        believing = []
        for seen in self.inside:
            keeper, machine = seen.keeper, seen.client.machine
            if keeper is None:
                continue
            boot = machine.boot()
            seen.gave_up = seen.gave_up or boot >= keeper.tenure.deadline
            if len(self.inside) == 1:
                return
            latest = seen.client.server_clock.at(boot).latest
            if keeper.tenure.believed(boot, latest) and keeper.tenure.lease not in self._void:
                believing.append(seen)
        if len(believing) > min((s.slots for s in believing), default=UNLIMITED):
            names = ", ".join(f"{s.client.name} (slots {s.slots})" for s in believing)
            raise BrokenError("exclusion", f"{names} are inside together at {self.now:.2f}")

    def finish(self, record: bytes | None) -> None:
        """Judge the run as a whole."""
        waiting = [name for name, seen in self._jobs.items() if not seen.ended]
        if waiting and self._expected.all_enter:
            raise BrokenError("no starvation", f"{', '.join(waiting)} never came to an end")
        if self.deleted or len(self.granted) > HISTORY_LENGTH:
            return
        document = _parsed(record)
        known = [one["lease"] for one in (*document["holders"], *document["history"])]
        if sorted(known) != sorted(self.granted):
            text = f"granted {self.granted}, known {known}"
            raise BrokenError("history complete", text)


def _parsed(body: bytes | None) -> dict[str, Any]:
    if body is None:
        return {"holders": [], "history": []}
    document: dict[str, Any] = json.loads(body)
    return document


def _beats(body: bytes | None) -> dict[str, int]:
    return {h["lease"]: h["beat"] for h in _parsed(body)["holders"]}


def _fits(holders: list[dict[str, Any]], slots: Slots) -> bool:
    sizes = [math.inf if h["slots"] == "unlimited" else h["slots"] for h in holders]
    return len(holders) + 1 <= min([*sizes, slots])
