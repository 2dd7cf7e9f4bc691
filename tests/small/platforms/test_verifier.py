"""Asking in the background, without threads: a test carries out the question when it likes."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from gcs_ci_lock.platforms.verifier import (
    ABANDON_AFTER,
    MAX_OWNERS,
    MAX_STRAGGLERS,
    BackgroundVerifier,
    NoVerifier,
    verifier_of,
)
from gcs_ci_lock.protocol.record import Owner
from tests.support.api_answers import GITHUB, GITHUB_API, GITLAB, GITLAB_API
from tests.support.fakes import FakeClock

pytestmark = pytest.mark.example

OWNER = Owner(platform="github", repository="acme/api", run_id="8123", attempt="1")
PROOF = "GitHub says that run 8123 attempt 1 is completed (failure)"


class Desk:
    """A verifier, its clock, the questions that wait to be carried out, and those asked."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.waiting: list[Callable[[], None]] = []
        self.asked: list[Owner] = []
        self.answers: dict[str, str] = {}
        self.verifier = BackgroundVerifier(self._ask, self.clock, start=self.waiting.append)

    def carry_out(self) -> None:
        self.waiting.pop()()

    def _ask(self, owner: Owner) -> str:
        self.asked.append(owner)
        return self.answers.get(owner.run_id, "")


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_an_answer_is_there_at_the_next_look(desk: Desk) -> None:
    desk.answers["8123"] = PROOF

    first = desk.verifier.proof(OWNER, every=60.0)
    desk.carry_out()

    assert (first, desk.verifier.proof(OWNER, every=60.0)) == ("", PROOF)
    assert desk.asked == [OWNER]


def test_a_proof_stays_a_proof_and_is_not_asked_for_again(desk: Desk) -> None:
    desk.answers["8123"] = PROOF
    desk.verifier.proof(OWNER, every=60.0)
    desk.carry_out()
    desk.answers.clear()

    desk.clock.sleep(86_400)

    assert desk.verifier.proof(OWNER, every=60.0) == PROOF
    assert desk.waiting == []


def test_while_a_question_is_on_its_way_there_is_no_other(desk: Desk) -> None:
    desk.verifier.proof(OWNER, every=60.0)
    desk.clock.sleep(ABANDON_AFTER - 0.1)

    desk.verifier.proof(OWNER, every=1.0)
    desk.verifier.proof(replace(OWNER, run_id="8124"), every=60.0)
    assert len(desk.waiting) == 1

    desk.carry_out()
    desk.verifier.proof(replace(OWNER, run_id="8124"), every=60.0)
    assert len(desk.waiting) == 1


@pytest.mark.parametrize(("seconds", "asked"), [(59.9, 1), (60.0, 2)])
def test_one_owner_is_asked_about_once_a_minute(desk: Desk, seconds: float, asked: int) -> None:
    desk.verifier.proof(OWNER, every=60.0)
    desk.carry_out()

    desk.clock.sleep(seconds)
    # What is no part of the job changes nothing.
    desk.verifier.proof(replace(OWNER, actor="alice", reason="again"), every=60.0)

    assert len(desk.asked) + len(desk.waiting) == asked


def test_another_owner_need_not_wait_for_the_minute(desk: Desk) -> None:
    for attempt in ("1", "2"):
        desk.verifier.proof(replace(OWNER, attempt=attempt), every=60.0)
        desk.carry_out()

    assert [owner.attempt for owner in desk.asked] == ["1", "2"]


def test_the_proof_is_not_another_servers(desk: Desk) -> None:
    # Two servers can each have a repository acme/api with a run 8123.
    ours = replace(OWNER, url="https://github.com/acme/api/actions/runs/8123")
    theirs = replace(OWNER, url="https://github.acme.test/acme/api/actions/runs/8123")
    desk.answers["8123"] = PROOF
    desk.verifier.proof(ours, every=60.0)
    desk.carry_out()

    assert desk.verifier.proof(ours, every=60.0) == PROOF
    assert desk.verifier.proof(theirs, every=60.0) == ""


def test_whatever_goes_wrong_is_unknown_and_the_next_question_is_asked(desk: Desk) -> None:
    def fail(_: Owner) -> str:
        raise RecursionError

    verifier = BackgroundVerifier(fail, desk.clock, start=desk.waiting.append)

    for _ in range(2):
        assert verifier.proof(OWNER, every=60.0) == ""
        desk.carry_out()
        desk.clock.sleep(60)

    assert verifier.proof(OWNER, every=60.0) == ""


def test_a_question_that_cannot_be_started_is_tried_again_after_a_minute(desk: Desk) -> None:
    tried: list[Callable[[], None]] = []

    def refuse(question: Callable[[], None]) -> None:
        tried.append(question)
        message = "can't start new thread"
        raise RuntimeError(message)

    verifier = BackgroundVerifier(lambda _: PROOF, desk.clock, start=refuse)

    assert [verifier.proof(OWNER, every=60.0), verifier.proof(OWNER, every=60.0)] == ["", ""]
    assert len(tried) == 1
    desk.clock.sleep(60)
    assert verifier.proof(OWNER, every=60.0) == ""
    assert len(tried) == 2


def test_a_record_with_many_owners_costs_a_bounded_number_of_questions(desk: Desk) -> None:
    for run in range(1_000):
        desk.verifier.proof(replace(OWNER, run_id=str(run)), every=60.0)
        if desk.waiting:
            desk.carry_out()
    assert len(desk.asked) == MAX_OWNERS

    # A minute later there is room again, for others too.
    desk.clock.sleep(60)
    desk.verifier.proof(replace(OWNER, run_id="999"), every=60.0)
    desk.carry_out()

    assert desk.asked[-1].run_id == "999"


def test_the_owner_that_was_asked_about_first_is_forgotten_first(desk: Desk) -> None:
    desk.answers = {"0": "run 0 is over", "1": "run 1 is over"}
    for run in range(MAX_OWNERS):
        desk.verifier.proof(replace(OWNER, run_id=str(run)), every=60.0)
        desk.carry_out()
    desk.clock.sleep(60)

    desk.verifier.proof(replace(OWNER, run_id="999"), every=60.0)
    desk.carry_out()

    assert desk.verifier.proof(replace(OWNER, run_id="1"), every=60.0) == "run 1 is over"
    assert desk.verifier.proof(replace(OWNER, run_id="0"), every=60.0) == ""


@pytest.mark.parametrize("field", ["platform", "repository", "run_id", "attempt", "url"])
def test_an_owner_that_no_job_wrote_is_neither_kept_nor_asked_about(desk: Desk, field: str) -> None:
    owner = dict.fromkeys(("platform", "repository", "run_id", "attempt", "url"), "x")

    desk.verifier.proof(Owner(**{**owner, field: "x" * 201}), every=60.0)
    assert desk.waiting == []

    desk.verifier.proof(Owner(**{**owner, field: "x" * 200}), every=60.0)
    assert len(desk.waiting) == 1


def test_where_nothing_is_asked_nothing_is_known() -> None:
    assert NoVerifier().proof(OWNER, every=60.0) == ""


def test_who_asks_less_often_waits_longer_for_the_next_question(desk: Desk) -> None:
    desk.verifier.proof(OWNER, every=120.0)
    desk.carry_out()
    desk.clock.sleep(119)
    desk.verifier.proof(OWNER, every=120.0)
    assert len(desk.asked) == 1
    assert desk.waiting == []

    desk.clock.sleep(1)
    desk.verifier.proof(OWNER, every=120.0)
    desk.carry_out()

    assert len(desk.asked) == 2


@pytest.mark.parametrize(
    ("seconds", "asked"), [(ABANDON_AFTER - 0.1, ["8123"]), (ABANDON_AFTER, ["8123", "8124"])]
)
def test_a_question_is_abandoned_after_ten_seconds_and_another_is_asked(
    desk: Desk, seconds: float, asked: list[str]
) -> None:
    desk.verifier.proof(OWNER, every=60.0)
    desk.clock.sleep(seconds)

    desk.verifier.proof(replace(OWNER, run_id="8124"), every=60.0)
    for question in desk.waiting:
        question()

    assert [owner.run_id for owner in desk.asked] == asked


def test_an_abandoned_question_is_unanswered_and_its_owner_waits_as_ever(desk: Desk) -> None:
    desk.verifier.proof(OWNER, every=60.0)

    desk.clock.sleep(59.9)
    assert desk.verifier.proof(OWNER, every=60.0) == ""
    assert len(desk.waiting) == 1

    desk.clock.sleep(0.1)
    assert desk.verifier.proof(OWNER, every=60.0) == ""
    assert len(desk.waiting) == 2


def test_with_eight_stragglers_nothing_is_asked_until_one_of_them_ends(desk: Desk) -> None:
    for run in range(MAX_STRAGGLERS + 3):
        desk.verifier.proof(replace(OWNER, run_id=str(run)), every=0.0)
        desk.clock.sleep(ABANDON_AFTER)
    assert len(desk.waiting) == MAX_STRAGGLERS
    desk.clock.sleep(86_400)
    desk.verifier.proof(OWNER, every=60.0)
    assert len(desk.waiting) == MAX_STRAGGLERS

    desk.carry_out()
    desk.verifier.proof(OWNER, every=60.0)

    # One took its place, and waits for its ten seconds like any other.
    assert len(desk.waiting) == MAX_STRAGGLERS
    desk.carry_out()
    assert desk.asked[-1] == OWNER


def test_the_end_of_a_straggler_does_not_end_the_question_after_it(desk: Desk) -> None:
    desk.verifier.proof(OWNER, every=60.0)
    desk.clock.sleep(ABANDON_AFTER)
    desk.verifier.proof(replace(OWNER, run_id="8124"), every=60.0)

    desk.waiting.pop(0)()
    desk.verifier.proof(replace(OWNER, run_id="8125"), every=60.0)

    assert len(desk.waiting) == 1


def test_a_proof_that_arrives_late_is_a_proof(desk: Desk) -> None:
    desk.answers["8123"] = PROOF
    desk.verifier.proof(OWNER, every=60.0)
    desk.clock.sleep(3600)
    desk.verifier.proof(OWNER, every=60.0)

    desk.waiting.pop(0)()
    assert desk.verifier.proof(OWNER, every=60.0) == PROOF

    # Nor does a later answer without a proof change it.
    desk.answers.clear()
    desk.carry_out()
    assert desk.verifier.proof(OWNER, every=60.0) == PROOF


def test_a_late_proof_of_an_owner_that_is_forgotten_is_dropped(desk: Desk) -> None:
    desk.answers["8123"] = PROOF
    desk.verifier.proof(OWNER, every=60.0)
    late = desk.waiting.pop()
    desk.clock.sleep(60)
    for run in range(MAX_OWNERS):
        desk.verifier.proof(replace(OWNER, run_id=str(run)), every=60.0)
        desk.carry_out()

    late()

    assert desk.verifier.proof(OWNER, every=60.0) == ""


GITHUB_JOB = {"GITHUB_API_URL": GITHUB_API, "GITHUB_SERVER_URL": GITHUB}
GITLAB_JOB = {"CI_API_V4_URL": GITLAB_API, "CI_SERVER_URL": GITLAB}


@pytest.mark.parametrize(
    ("environ", "token", "possible"),
    [
        ({}, "", False),
        ({}, "t", True),
        ({"GITHUB_TOKEN": "t"}, "", True),
        (GITHUB_JOB, "", False),
        (GITHUB_JOB, "t", True),
        ({**GITHUB_JOB, "ACT": "true"}, "t", False),
        # It has no attempts of a whole run.
        ({**GITHUB_JOB, "GITEA_ACTIONS": "true"}, "t", False),
        # One address without the other could be another server's.
        ({"GITHUB_API_URL": GITHUB_API}, "t", False),
        ({"GITHUB_SERVER_URL": GITHUB}, "t", False),
        (GITLAB_JOB, "", False),
        ({**GITLAB_JOB, "CI_JOB_TOKEN": "t"}, "", True),
        ({**GITLAB_JOB, "GCS_CI_LOCK_GITLAB_TOKEN": "t"}, "", True),
        ({"GCS_CI_LOCK_GITLAB_TOKEN": "t"}, "", False),
        ({**GITLAB_JOB, "CI_JOB_TOKEN": "t", "ACT": "true"}, "t", True),
    ],
)
def test_where_nothing_can_be_asked_there_is_no_verifier(
    environ: dict[str, str], token: str, *, possible: bool
) -> None:
    verifier = verifier_of(environ, tokens={"github": token}, clock=FakeClock())

    assert isinstance(verifier, BackgroundVerifier if possible else NoVerifier)
