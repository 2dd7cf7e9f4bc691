"""docs/protocol.md and the code mirror each other: the steps on the page are those in the code."""

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.example

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "protocol.md").read_text()
STEPS = re.findall(r"^- \*\*([CWRE][1-9])\*\* ", PAGE, re.MULTILINE)
CODE = {
    file.relative_to(ROOT): file.read_text()
    for folder in ("protocol", "locking", "keepalive")
    for file in sorted((ROOT / "gcs_ci_lock" / folder).rglob("*.py"))
}


def mentioned(text: str) -> set[str]:
    """Return the steps that a text mentions: `step C8`, `steps C1 to C3, W1 and W2`."""
    words = re.findall(r"\bsteps? ((?:[CWRE][1-9](?:, | and | to |))+)", text)
    steps = set()
    for word in words:
        for first, last in re.findall(r"([CWRE][1-9])(?: to ([CWRE][1-9]))?", word):
            end = int((last or first)[1])
            steps |= {f"{first[0]}{number}" for number in range(int(first[1]), end + 1)}
    return steps


def test_the_steps_of_each_procedure_are_numbered_without_a_gap() -> None:
    for letter in "CWRE":
        numbers = [int(step[1]) for step in STEPS if step[0] == letter]

        assert numbers == list(range(1, len(numbers) + 1)), letter
    assert len(STEPS) > 20


@pytest.mark.parametrize("step", STEPS)
def test_every_step_of_the_page_is_named_where_the_code_does_it(step: str) -> None:
    assert [file for file, text in CODE.items() if step in mentioned(text)] != []


@pytest.mark.parametrize("file", CODE, ids=str)
def test_every_step_that_the_code_names_is_on_the_page(file: Path) -> None:
    assert mentioned(CODE[file]) <= set(STEPS)
