"""Seeing that a job is over, without a file: only the token tells."""

import pytest

from gcs_ci_lock.keepalive.job_end import JobEnd
from gcs_ci_lock.platforms.github_job import TokenWord

pytestmark = pytest.mark.example

WORDS: tuple[TokenWord, ...] = (
    *("accepted", "refused", "refused", "unknown"),
    *("refused", "refused", "accepted", "refused"),
)


def test_three_refusals_in_a_row_are_the_end() -> None:
    end = JobEnd(None)
    end.heard("accepted")

    for _ in range(2):
        end.heard("refused")
        assert end.over() == ""
    end.heard("refused")

    assert "refused the job's token 3 times in a row" in end.over()


def test_any_other_answer_between_begins_anew() -> None:
    end = JobEnd(None)

    for word in WORDS:
        end.heard(word)

    assert end.over() == ""


def test_the_end_is_not_taken_back() -> None:
    end = JobEnd(None)
    end.heard("accepted")
    for _ in range(3):
        end.heard("refused")

    end.heard("accepted")

    assert end.over()


def test_a_token_that_was_never_good_says_nothing_of_the_job() -> None:
    end = JobEnd(None)

    for _ in range(9):
        end.heard("refused")

    assert end.over() == ""
