"""Wrong versions of obsolete jobs, and of holders known to be dead."""

from tests.simulation.planted import wrong

OBSOLETE_RULES = "gcs_ci_lock/protocol/obsolete.py"
DEAD_HOLDERS = "gcs_ci_lock/locking/dead_holders.py"
LOCKING = "tests/small/locking/test_"
_DELETED = """                delete(self._lock, ticket.lease, ticket.generation)
                continue
"""
STRUCK_OUT = f"""            with suppress(PreconditionFailed):
{_DELETED}                self._lock.store.write("""

OBSOLETE = (
    wrong(
        "an outdated job is granted the lock",
        "sequences rise",
        (
            OBSOLETE_RULES,
            "if claimant.sequence is not None and granted > claimant.sequence:",
            "if granted < -1:",
        ),
    ),
    wrong(
        "granted sequence numbers are not recorded",
        "sequences rise",
        (OBSOLETE_RULES, "_raise_to(numbers, job, claimant.sequence)", "pass"),
    ),
    wrong(
        "a superseded waiter goes on waiting",
        "newest wins",
        (
            OBSOLETE_RULES,
            "if ticket is not None and ticket.superseded_by:",
            "if ticket is None and granted < -1:",
        ),
        (OBSOLETE_RULES, "> came * _MICROSECONDS:", "> math.inf:"),
        ("gcs_ci_lock/protocol/queue.py", " and not t.superseded_by and", " and"),
    ),
    wrong(
        "the record does not store when the newest job was created",
        f"{LOCKING}contender.py::test_an_older_waiter_that_slept_through_all_of_it_never_runs_after_the_newer",
        (
            OBSOLETE_RULES,
            "if claimant.newest:\n        # Without",
            "if claimant.created < 0:\n        # Without",
        ),
    ),
    wrong(
        "a superseded ticket is deleted, not marked",
        f"{LOCKING}own_ticket.py::test_a_newer_run_tells_the_older_one_and_stands_in_its_place",
        (
            "gcs_ci_lock/locking/own_ticket.py",
            STRUCK_OUT.replace(_DELETED, ""),
            STRUCK_OUT,
        ),
    ),
    wrong(
        "a newer job queues behind the older ones of its kind",
        f"{LOCKING}own_ticket.py::test_pushes_again_and_again_do_not_starve_their_line",
        (
            "gcs_ci_lock/locking/own_ticket.py",
            "if older[0].arrival < self.claimant.arrival:",
            "if not older:",
        ),
    ),
    wrong(
        "an unknown state counts as the end of the job",
        "no foreign release",
        (
            DEAD_HOLDERS,
            "return self._verifier.proof(holder.owner, every=every)",
            'return self._verifier.proof(holder.owner, every=every) or "?"',
        ),
    ),
    wrong(
        "a later attempt of the run counts as dead",
        "tests/small/protocol/test_takeover.py::test_nobody_else_is",
        (
            "gcs_ci_lock/protocol/takeover.py",
            "int(holder.attempt) < int(",
            "int(holder.attempt) != int(",
        ),
    ),
)
