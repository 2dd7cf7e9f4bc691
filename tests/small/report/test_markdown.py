"""The step summary: Markdown that shows text and does nothing else."""

from dataclasses import replace

import pytest
from hypothesis import given

from gcs_ci_lock.report.markdown import owner_cell, plain, summary_table
from tests.support.samples import ALICE
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


@pytest.mark.example
def test_a_page_is_linked_in_the_summary() -> None:
    assert owner_cell(ALICE) == f"[`acme/api > deploy > prod (alice)`]({ALICE.url})"


@pytest.mark.example
@pytest.mark.parametrize("url", ["https://x/a)b", "https://x/<b>", "http://x/a", "https://x/a|b"])
def test_a_page_that_markdown_could_misread_is_not_linked_there(url: str) -> None:
    assert "](" not in owner_cell(replace(ALICE, url=url))
