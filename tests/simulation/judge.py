"""What must hold in every run; the first property that does not ends the run."""

import math
from collections.abc import Callable
from typing import Any

from gcs_ci_lock.keepalive.keeper import Keeper
from gcs_ci_lock.protocol.record import HISTORY_LENGTH, Owner
from gcs_ci_lock.protocol.slots import UNLIMITED, Slots
from tests.simulation.cloud import EPOCH, Client, Cloud
from tests.simulation.properties import BrokenError, Expected, Seen
from tests.simulation.reading import beats, fits, parsed

# Ten times what the longest runs take.
MOST_MOMENTS = 100_000
# A stamp allows for drift, the dates' resolution and answers that contradict each other.
STAMP_SLACK = 20.0
# For so long a later waiter lets an earlier one go first.
PATIENCE = 6.0


class Judge:
    """Looks at every write that the server carries out, and at every moment in between."""

    def __init__(
        self, cloud: Cloud, path: str, expected: Expected, note: Callable[[str], None]
    ) -> None:
        self._cloud = cloud
        self._note = note
        self._path = path
        self._expected = expected
        self._jobs: dict[str, Seen] = {}
        self._highest = 0
        self._room_at = 0.0
        self.granted: list[str] = []
        self.deleted = False
        self._moments = 0
        # Leases that somebody has evicted, or whose record he has deleted under them.
        self._void: set[str] = set()
        self.inside: list[Seen] = []
        # Lease -> true time of its last stamp.
        self._stamped: dict[str, float] = {}
        self._dead = 0
        self._entered: list[Seen] = []

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
        if not seen.has_given_up():
            return
        before = beats(self._stored())
        for lease, beat in beats(body).items():
            if lease in seen.leases and before.get(lease, beat) != beat:
                text = f"{client.name} renews {lease} after its deadline"
                raise BrokenError("no renewal after give-up", text)

    def refuses(self, client: Client) -> None:
        """Take note that a write met the limit of one a second."""
        self._jobs[client.name].refused_at = self.now

    def wrote(self, client: Client, path: str, before: bytes | None, body: bytes) -> None:
        """Look at a write that has been carried out."""
        writer = self._jobs[client.name]
        if "/queue/" in path:
            writer.ticket_at = min(writer.ticket_at, self.now)
            return
        old, new = parsed(before), parsed(body)
        was = {h["lease"]: h for h in old["holders"]}
        now = {h["lease"]: h for h in new["holders"]}
        ends = {e["lease"]: e for e in new["history"]}
        if not was and not now and before is None:
            self._room_at = self.now
        if self._expected.calm and len(was) > len(now.keys() & was):
            self._recovered(writer, was)
        for lease, holder in was.items():
            if lease not in now:
                self._gone(writer, holder, ends.get(lease))
        for lease, holder in now.items():
            if lease not in was:
                self._granted(writer, holder, list(was.values()), list(now.values()))
                self._not_frozen(writer, old.get("frozen"))
            if lease not in was or was[lease]["beat"] != holder["beat"]:
                self._stamped[lease] = self.now

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
        if end["outcome"] == "evicted" and not self._is_dead(lease):
            text = f"{writer.client.name} evicts {lease}, whose job lives"
            raise BrokenError("no foreign release", text)
        self._note(f"{lease} is {end['outcome']} by {writer.client.name}")
        self._room_at = self.now if end["outcome"] == "released" else self.now - max(-early, 0.0)

    def _recovered(self, writer: Seen, was: dict[str, dict[str, Any]]) -> None:
        """Look at how long the last of those who held, and are no more, has blocked the lock."""
        stamped = max(self._stamped[lease] for lease in was)
        blocked = self.now - max(stamped, self._room_at)
        most = max(h["ttl"] for h in was.values()) * 16 / 15 + 3.0 + self._patience()
        if blocked > most and self.now - writer.asked_at > most:
            text = f"{writer.client.name} enters {blocked:.1f} s after the last sign of life"
            raise BrokenError("bounded recovery", text)

    def _patience(self) -> float:
        """Return the time after which the dead who wait are passed over.

        One takes 6 s and a poll. When the ticket of one dies, counting begins anew.
        """
        return 8.0 * self._dead * (self._dead + 1) / 2

    def _not_frozen(self, writer: Seen, frozen: dict[str, Any] | None) -> None:
        # A date says which second it is, no more.
        if frozen and (frozen["until"] is None or frozen["until"] > self._cloud.time + 1.0):
            raise BrokenError("no entry while frozen", writer.client.name)

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
        self._note(f"{name} is granted {lease} with token {token}")
        if writer.ended and writer.clean:
            raise BrokenError("cancel leaves nothing", f"a claim of {name} lands after its end")
        if holder["expires_at"] - EPOCH > writer.ended_at + holder["ttl"] + STAMP_SLACK:
            raise BrokenError("cancel leaves nothing", f"{name} blocks the lock long after its end")
        if lease in self.granted and not self.deleted:
            raise BrokenError("tokens rise", f"{lease} is granted twice")
        self.granted.append(lease)
        self._void.discard(lease)
        if not self.deleted:
            self._newest(writer)
        if self._expected.calm:
            self._in_order(writer, was, now)

    def _is_dead(self, lease: str) -> bool:
        return any(lease in seen.leases and seen.ended for seen in self._jobs.values())

    def proof(self, owner: Owner, *, every: float) -> str:
        """Be the verifier of every job: it knows who is dead."""
        seen = self._jobs[owner.run_id]
        return f"{owner.run_id}: {seen.ended}" if seen.ended else ""

    def _newest(self, writer: Seen) -> None:
        """Look at what was granted in the writer's line before it."""
        for other in self._entered:
            if other is writer or not other.line or other.line != writer.line:
                continue
            if (writer.sequence or 0) < (other.sequence or 0) and writer.sequence is not None:
                text = f"{writer.sequence} is granted after {other.sequence}"
                raise BrokenError("sequences rise", text)
            # Who has no ticket is known to have come within two bounds only.
            came = min(other.ticket_at, self.now) if other.ticket_at < math.inf else 0.0
            if other.newest and writer.ticket_at < came:
                text = f"{writer.client.name} runs after {other.client.name}"
                raise BrokenError("newest wins", text)
        self._entered.append(writer)

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
            # A refusal is no answer: who was told to wait loses time, and perhaps its place.
            if not inside.isdisjoint(other.leases) or self.now - other.refused_at < PATIENCE:
                continue
            # The later one keeps the earlier one out, perhaps beside others who do.
            if not fits(now, other.slots):
                text = f"{writer.client.name} goes before {other.client.name}"
                raise BrokenError("queue order", text)
        waited = self.now - max(self._room_at, writer.asked_at)
        others = any(s.waits and s is not writer for s in self._jobs.values())
        # Several that come and go at once meet the limit of one write a second, and back off.
        most = 4.0 if all(s.slots == 1 for s in self._jobs.values()) else 14.0
        most += self._patience()
        if not others and not was and waited > most and writer.ticket_at < math.inf:
            text = f"{writer.client.name} enters {waited:.1f} s after there was room"
            raise BrokenError("bounded hand-over", text)

    # What the jobs say.

    def enters(self, seen: Seen, keeper: Keeper) -> None:
        seen.keeper = keeper
        seen.gave_up = False
        self.inside.append(seen)
        self._note(f"{seen.client.name} is inside")

    def leaves(self, seen: Seen, *, lost: str) -> None:
        self.inside.remove(seen)
        self._note(f"{seen.client.name} leaves{f': {lost}' if lost else ''}")
        if lost and self._expected.no_loss:
            raise BrokenError("no false loss", f"{seen.client.name}: {lost}")

    def ends(self, seen: Seen, how: str, *, clean: bool) -> None:
        if seen in self.inside:
            self.inside.remove(seen)
        seen.keeper = None
        seen.ended = how
        seen.ended_at = self.now
        seen.clean = clean
        self._note(f"{seen.client.name} has ended: {how}")
        # Where no answer is lost nobody has an excuse.
        sure = not self._cloud.weather.faults
        if how == "stopped" and (clean or sure):
            self._nothing_left(seen, tickets_too=sure)

    def _nothing_left(self, seen: Seen, *, tickets_too: bool) -> None:
        record = parsed(self._stored())
        # The ticket of a lease that was served counts for nothing, and dies by itself.
        counting = set(seen.leases) - {end["lease"] for end in record["history"]}
        # So does one whose write arrives after its deletion.
        paths = self._cloud.bucket.objects if tickets_too else ()
        tickets = {path.rpartition("/")[2] for path in paths}
        left = counting & (tickets | {holder["lease"] for holder in record["holders"]})
        if left:
            raise BrokenError("cancel leaves nothing", f"{seen.client.name} leaves {sorted(left)}")

    def dies(self, seen: Seen) -> None:
        """Somebody kills a job."""
        self._dead += seen.keeper is None
        self.ends(seen, "killed", clean=False)

    # What a person does, who answers for what follows.

    def deletes(self) -> None:
        self.deleted = True
        self._void.update(self.granted)

    def evicts(self, lease: str) -> None:
        self._void.add(lease)
        self._room_at = self.now

    def has_room(self) -> None:
        """The lock is frozen no more."""
        self._room_at = self.now

    def look(self) -> None:
        """Look at this very moment: who believes that it holds the lock?"""
        self._moments += 1
        if self._moments > MOST_MOMENTS:
            raise BrokenError("no crash", "somebody runs in circles")
        for seen in self.inside:
            seen.has_given_up()
        # Those who tolerate each other anyway need not be asked what they believe.
        if len(self.inside) > 1 and len(self.inside) > min(s.slots for s in self.inside):
            self._look_at_many()

    def _look_at_many(self) -> None:
        believing = []
        for seen in self.inside:
            if seen.keeper is None or seen.keeper.lease.id in self._void:
                continue
            boot = seen.client.machine.boottime()
            if seen.keeper.lease.believes_held(boot, seen.client.server_clock.at(boot).latest):
                believing.append(seen)
        if len(believing) > min((s.slots for s in believing), default=UNLIMITED):
            names = ", ".join(f"{s.client.name} (slots {s.slots})" for s in believing)
            raise BrokenError("exclusion", f"{names} are inside together at {self.now:.2f}")

    def finish(self) -> None:
        """Judge the run as a whole."""
        waiting = [name for name, seen in self._jobs.items() if not seen.ended]
        if waiting:
            raise BrokenError("no starvation", f"{', '.join(waiting)} never came to an end")
        if self.deleted or len(self.granted) > HISTORY_LENGTH:
            return
        document = parsed(self._stored())
        known = [one["lease"] for one in (*document["holders"], *document["history"])]
        if sorted(known) != sorted(self.granted):
            text = f"granted {self.granted}, known {known}"
            raise BrokenError("history complete", text)

    def _stored(self) -> bytes | None:
        there = self._cloud.bucket.objects.get(self._path)
        return there.body if there else None
