"""Wrong versions of how the record is changed."""

from tests.simulation.planted import wrong

CLIENT = "gcs_ci_lock/locking/client.py"
TRANSITIONS = "gcs_ci_lock/protocol/transitions.py"
# What the record's generation is just now: so the precondition of a write always holds.
THERE = """
    def _there(self) -> VersionedRecord:
        found = self.store.read(self.paths.record, known=None, limit=9**9, timeout=9)
        return VersionedRecord(record=None, generation=getattr(found, "generation", 0))

    def _next_revision"""

RECORD = (
    wrong(
        "a claim without the generation",
        "history complete",
        (CLIENT, "written.record, over=stored", "written.record, over=self._there()"),
        (CLIENT, "\n    def _next_revision", THERE),
    ),
    wrong(
        "a renewal without the generation",
        "history complete",
        (CLIENT, "result.record, over=self._record.known", "result.record, over=self._there()"),
        (CLIENT, "\n    def _next_revision", THERE),
    ),
    wrong(
        "a release without the generation",
        "history complete",
        (CLIENT, "result.record, over=stored", "result.record, over=self._there()"),
        (CLIENT, "\n    def _next_revision", THERE),
    ),
    wrong(
        "a release by name ends whatever lease holds the lock",
        "no foreign release",
        (
            TRANSITIONS,
            (
                "    holder = record.holder(lease)\n    if holder is None:\n"
                "        return _not_held(record, lease)\n    ended"
            ),
            (
                "    holder = record.holder(lease) or next(iter(record.holders), None)\n"
                "    if holder is None:\n        return _not_held(record, lease)\n    ended"
            ),
        ),
    ),
    wrong(
        "the fence of a new record begins at 0",
        "tokens rise",
        (TRANSITIONS, "math.floor(latest * FENCE_PER_SECOND)", "math.floor(latest * 0)"),
    ),
    wrong(
        "a grant does not raise the fence",
        "tokens rise",
        (TRANSITIONS, "max(record.fence, fence_seen) + 1", "max(record.fence, fence_seen)"),
    ),
)
