"""Questions about holders: in the background, one at a time, at most one a minute."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from gcs_ci_lock.ci.verifying import ASK_EVERY, MOST_KNOWN, BackgroundVerifier, first_proof
from gcs_ci_lock.core.record import Owner
from tests.support.fakes import FakeClock

pytestmark = pytest.mark.example

OWNER = Owner(platform="github", repository="acme/api", run_id="8123", attempt="1")


class Beside:
    """What runs beside us, when the test lets it."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []

    def __call__(self, work: Callable[[], None]) -> None:
        self.waiting.append(work)

    def goes_on(self) -> None:
        self.waiting.pop(0)()


def asking(*answers: str | Exception) -> tuple[BackgroundVerifier, Beside, FakeClock, list[Owner]]:
    clock, beside = FakeClock(), Beside()
    left, asked = list(answers), []

    def ask(owner: Owner) -> str:
        asked.append(owner)
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return BackgroundVerifier(ask, clock, run=beside), beside, clock, asked


def test_a_question_is_asked_at_once_and_its_answer_is_there_at_a_later_look() -> None:
    verifier, beside, _, asked = asking("it is over")

    assert verifier.proof(OWNER) == ""
    assert verifier.proof(OWNER) == ""
    beside.goes_on()

    assert verifier.proof(OWNER) == "it is over"
    assert asked == [OWNER]


@pytest.mark.parametrize("unknown", ["", RuntimeError("whatever")], ids=["unknown", "broken"])
def test_what_is_not_known_is_asked_again_after_a_minute_and_no_sooner(
    unknown: str | Exception,
) -> None:
    verifier, beside, clock, asked = asking(unknown, "it is over")
    verifier.proof(OWNER)
    beside.goes_on()

    clock.sleep(ASK_EVERY - 0.1)
    assert verifier.proof(OWNER) == ""
    assert len(asked) == 1
    clock.sleep(0.1)
    verifier.proof(OWNER)
    beside.goes_on()

    assert verifier.proof(OWNER) == "it is over"


def test_a_question_that_hangs_keeps_all_others_back() -> None:
    verifier, beside, clock, _ = asking("it is over", "so is this")
    other = replace(OWNER, run_id="8124")
    verifier.proof(OWNER)

    clock.sleep(600.0)
    verifier.proof(OWNER)
    verifier.proof(other)
    assert len(beside.waiting) == 1
    beside.goes_on()
    verifier.proof(other)
    beside.goes_on()

    assert (verifier.proof(OWNER), verifier.proof(other)) == ("it is over", "so is this")


def test_a_record_that_names_owners_without_end_does_not_fill_the_memory() -> None:
    verifier, beside, _, asked = asking(*[""] * (MOST_KNOWN + 5))

    for number in range(MOST_KNOWN + 5):
        verifier.proof(replace(OWNER, run_id=str(number)))
        if beside.waiting:
            beside.goes_on()

    assert len(asked) == MOST_KNOWN


def test_of_several_the_first_that_knows_answers() -> None:
    ask = first_proof([lambda _: "", lambda owner: f"{owner.run_id} is over", lambda _: "late"])

    assert ask(OWNER) == "8123 is over"
    assert first_proof([])(OWNER) == ""
