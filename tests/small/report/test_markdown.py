"""The step summary: owners as Markdown that does nothing but show them."""

from dataclasses import replace

import pytest

from gcs_ci_lock.report.markdown import owner_cell
from tests.support.samples import ALICE


@pytest.mark.example
def test_a_page_is_linked_in_the_summary() -> None:
    assert owner_cell(ALICE) == f"[`acme/api > deploy > prod (alice)`]({ALICE.url})"


@pytest.mark.example
@pytest.mark.parametrize("url", ["https://x/a)b", "https://x/<b>", "http://x/a", "https://x/a|b"])
def test_a_page_that_markdown_could_misread_is_not_linked_there(url: str) -> None:
    assert "](" not in owner_cell(replace(ALICE, url=url))
