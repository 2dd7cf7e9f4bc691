"""Seeing that a job is over, without a file: only the token tells."""

import pytest

from gcs_ci_lock.jobend import JobEnd

pytestmark = pytest.mark.example


def test_three_refusals_in_a_row_are_the_end() -> None:
    end = JobEnd(None)

    for _ in range(2):
        end.heard(refused=True)
        assert end.over() == ""
    end.heard(refused=True)

    assert "refused the job's token 3 times in a row" in end.over()


def test_any_other_answer_between_begins_anew() -> None:
    end = JobEnd(None)

    for refused in (True, True, False, True, True):
        end.heard(refused=refused)

    assert end.over() == ""


def test_the_end_is_not_taken_back() -> None:
    end = JobEnd(None)
    for _ in range(3):
        end.heard(refused=True)

    end.heard(refused=False)

    assert end.over()
