"""Wrong versions of what happens without a usable response."""

from tests.simulation.planted import wrong

CLIENT = "gcs_ci_lock/locking/client.py"
ACQUISITION = "gcs_ci_lock/locking/acquisition.py"
TESTS = "tests/small/locking/test_"

ANSWERS = (
    wrong(
        "a 412 counts as a loss",
        "no false loss",
        (
            CLIENT,
            "continue\n            return self._lease_state",
            "return Lost(reason=None, message='412')\n            return self._lease_state",
        ),
    ),
    wrong(
        "a renewal without a response counts as a loss",
        "no false loss",
        (
            CLIENT,
            "continue\n            return self._lease_state",
            (
                "continue\n            except StoreError:\n"
                "                return Lost(reason=None, message='?')\n"
                "            return self._lease_state"
            ),
        ),
        (CLIENT, "import PreconditionFailed\n", "import PreconditionFailed, StoreError\n"),
    ),
    wrong(
        "a claim without a response counts as a success",
        "exclusion",
        (
            CLIENT,
            "        self._record.write(written.record, over=stored)\n",
            (
                "        try:\n            self._record.write(written.record, over=stored)\n"
                "        except OutcomeUnknown:\n            pass\n"
            ),
        ),
        (CLIENT, "import PreconditionFailed\n", "import OutcomeUnknown, PreconditionFailed\n"),
    ),
    wrong(
        "the client library retries by itself",
        "tests/medium/storage/test_responses.py"
        "::test_the_client_library_asks_nothing_again_behind_our_back",
        (
            "gcs_ci_lock/storage/gcs.py",
            (
                "timeout=timeout,\n                    retry=None,\n                )\n"
                "                return _object_info"
            ),
            "timeout=timeout,\n                )\n                return _object_info",
        ),
    ),
    wrong(
        "a repeated claim sends the same bytes",
        f"{TESTS}client.py"
        "::test_a_claim_that_never_arrived_is_made_again_with_a_new_number_and_stamp",
        (CLIENT, "max([acknowledged, *self._sent]) + 1", "acknowledged + 1"),
    ),
    wrong(
        "a claim that may still land is left as it is",
        f"{TESTS}client.py::test_leaving_with_an_unknown_claim_blocks_the_stray_write",
        (CLIENT, "self._record.write(unchanged, over=stored)", "unchanged = None"),
    ),
    wrong(
        "the stop flag is not checked after a claim",
        f"{TESTS}acquisition.py::test_a_claim_that_nobody_wants_any_more_is_released_at_once",
        (
            ACQUISITION,
            "if self._stop.is_set():\n            # The claim",
            "if self._began < 0:\n            # The claim",
        ),
    ),
    wrong(
        "a claim that landed after its own give-up is believed",
        f"{TESTS}pending_claim.py"
        "::test_a_claim_that_landed_after_its_own_give_up_is_given_back_and_waited_for_anew",
        (
            "gcs_ci_lock/locking/pending_claim.py",
            "ours = lease.believes_held(self._lock.clock.boottime(), self._lock.now().latest)",
            'ours = lease.id != ""',
        ),
    ),
)
