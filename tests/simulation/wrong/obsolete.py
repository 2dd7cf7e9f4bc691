"""Wrong versions of which runs are obsolete, and of which holders are dead."""

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
        "an outdated one may enter",
        "sequences rise",
        (
            OBSOLETE_RULES,
            "if claimant.sequence is not None and granted > claimant.sequence:",
            "if granted < -1:",
        ),
    ),
    wrong(
        "nobody takes note of the numbers that were granted",
        "sequences rise",
        (OBSOLETE_RULES, "_raise_to(numbers, job, claimant.sequence)", "pass"),
    ),
    wrong(
        "who is superseded goes on waiting",
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
        "the record keeps no number of the newest",
        f"{LOCKING}contender.py::test_an_older_waiter_that_slept_through_all_of_it_never_runs_after_the_newer",
        (
            OBSOLETE_RULES,
            "if claimant.newest:\n        # Without",
            "if claimant.created < 0:\n        # Without",
        ),
    ),
    wrong(
        "the older ticket is deleted",
        f"{LOCKING}own_ticket.py::test_a_newer_run_tells_the_older_one_and_stands_in_its_place",
        (
            "gcs_ci_lock/locking/own_ticket.py",
            STRUCK_OUT.replace(_DELETED, ""),
            STRUCK_OUT,
        ),
    ),
    wrong(
        "a newer run stands behind those who came before it",
        f"{LOCKING}own_ticket.py::test_pushes_again_and_again_do_not_starve_their_line",
        (
            "gcs_ci_lock/locking/own_ticket.py",
            "if older[0].arrival < self.claimant.arrival:",
            "if not older:",
        ),
    ),
    wrong(
        "not to know is taken for a death",
        "no foreign release",
        (
            DEAD_HOLDERS,
            "return self._verifier.proof(holder.owner, every=every)",
            'return self._verifier.proof(holder.owner, every=every) or "?"',
        ),
    ),
    wrong(
        "a later attempt of the run is taken for dead",
        "tests/small/protocol/test_takeover.py::test_nobody_else_is",
        (
            "gcs_ci_lock/protocol/takeover.py",
            "int(holder.attempt) < int(",
            "int(holder.attempt) != int(",
        ),
    ),
)
