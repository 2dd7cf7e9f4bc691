"""A person with write permission: evicts, freezes and deletes, by hand and at once."""

import json
import random
from collections.abc import Callable
from typing import Any

from tests.simulation.cloud import Cloud
from tests.simulation.judge import Judge
from tests.simulation.plans import PATHS


class Person:
    """Changes the record by the same rule as everybody, and answers for what follows."""

    def __init__(
        self, cloud: Cloud, judge: Judge, chance: random.Random, note: Callable[[str], None]
    ) -> None:
        self._cloud = cloud
        self._judge = judge
        self._chance = chance
        self._note = note

    def delete(self) -> None:
        if self._cloud.delete(PATHS.record):
            self._note("somebody deletes the record")
            self._judge.deletes()

    def evict(self) -> None:
        record = self._record()
        if record is None or not record["holders"]:
            return
        holder = self._chance.choice(record["holders"])
        self._note(f"somebody evicts {holder['lease']}")
        record["holders"].remove(holder)
        kept = ("lease", "owner", "token", "asked_at", "granted_at")
        end = {key: holder[key] for key in kept}
        end |= {"ended_at": self._cloud.time, "outcome": "evicted", "note": "stuck"}
        record["history"].append(end)
        record["freed_at"] = max(record["freed_at"], self._cloud.time)
        self._write(record)
        self._judge.evicts(holder["lease"])

    def freeze(self) -> None:
        record = self._record()
        if record is None or record["frozen"] is not None:
            return
        seconds = self._chance.uniform(5.0, 90.0)
        ends_by_itself = self._chance.random() < 0.5
        self._note(f"somebody freezes the lock for {seconds:.1f} s")
        until = self._cloud.time + seconds if ends_by_itself else None
        record["frozen"] = {
            "reason": "maintenance",
            "author": "alice",
            "since": self._cloud.time,
            "until": until,
        }
        self._write(record)
        scheduler = self._cloud.scheduler
        thaw = self._judge.has_room if ends_by_itself else self._unfreeze
        scheduler.at(scheduler.now + seconds, thaw)

    def _unfreeze(self) -> None:
        record = self._record()
        if record is None or record["frozen"] is None:
            return
        self._note("somebody unfreezes the lock")
        record["frozen"] = None
        record["freed_at"] = max(record["freed_at"], self._cloud.time)
        self._write(record)
        self._judge.has_room()

    def _record(self) -> dict[str, Any] | None:
        there = self._cloud.bucket.objects.get(PATHS.record)
        record: dict[str, Any] | None = json.loads(there.body) if there else None
        return record

    def _write(self, record: dict[str, Any]) -> None:
        generation = self._cloud.bucket.objects[PATHS.record].entry.generation
        body = json.dumps(record).encode()
        self._cloud.hands.write(PATHS.record, body, generation=generation, timeout=0)
