"""The step summary: no text leaves its place in it."""

import pytest
from hypothesis import given

from gcs_ci_lock.report.markdown import plain, summary_table
from tests.support.strategies import RUNNER_TEXTS


@pytest.mark.property
@given(RUNNER_TEXTS)
def test_no_text_leaves_its_cell_of_the_summary(text: str) -> None:
    cell = plain(text)

    table = summary_table([("who", cell)])

    assert cell == "" or (cell[0] == cell[-1] == "`" and "`" not in cell[1:-1])
    assert table.count("\n") == 3
    assert table.split("\n")[2].count("|") == 3
    assert "\\" not in cell
