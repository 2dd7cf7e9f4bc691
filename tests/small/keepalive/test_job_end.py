"""Seeing that a job is over, without a file: only the token tells."""

import pytest

from gcs_ci_lock.keepalive.job_end import JobEnd
from gcs_ci_lock.platforms.github_job import TokenState

pytestmark = pytest.mark.example

WORDS: tuple[TokenState, ...] = (
    *("accepted", "refused", "refused", "unknown"),
    *("refused", "refused", "accepted", "refused"),
)


def test_three_refusals_in_a_row_are_the_end() -> None:
    end = JobEnd(None)
    end.token_answered("accepted")

    for _ in range(2):
        end.token_answered("refused")
        assert end.why_over() == ""
    end.token_answered("refused")

    assert "refused the job's token 3 times in a row" in end.why_over()


def test_any_other_answer_between_begins_anew() -> None:
    end = JobEnd(None)

    for word in WORDS:
        end.token_answered(word)

    assert end.why_over() == ""


def test_the_end_is_not_taken_back() -> None:
    end = JobEnd(None)
    end.token_answered("accepted")
    for _ in range(3):
        end.token_answered("refused")

    end.token_answered("accepted")

    assert end.why_over()


def test_a_token_that_was_never_good_says_nothing_of_the_job() -> None:
    end = JobEnd(None)

    for _ in range(9):
        end.token_answered("refused")

    assert end.why_over() == ""
