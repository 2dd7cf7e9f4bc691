"""The model of the lock, model/lock.pml: it holds, it can fail, and it names rules that exist."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.property

ROOT = Path(__file__).parents[2]
MODEL = (ROOT / "model" / "lock.pml").read_text()
# What each planted bug breaks. Where that is exclusion, it is broken with no other property
# looked at.
BUGS = {
    "BUG_NO_GENERATION": "exclusion",
    "BUG_DEADLINE_FROM_ANSWER": "exclusion",
    "BUG_DEADLINE_OF_LAST_ATTEMPT": "exclusion",
    "BUG_EARLY_EXPIRY": "exclusion",
    "BUG_STAMP_FROM_EARLIEST": "exclusion",
    "BUG_SAME_BYTES": "exclusion",
    "BUG_RELEASE_BY_NAME": "exclusion",
    "BUG_CONCLUDE_WITHOUT_ANSWER": "exclusion",
    "BUG_CLOCK_OUT_OF_BOUNDS": "exclusion",
    "BUG_RENEW_AFTER_GIVE_UP": "no_renewal_after_give_up",
    "BUG_REVIVED_BY_AN_ANSWER": "no_renewal_after_give_up",
    "BUG_NO_REWRITE": "nothing_left_behind",
}
RULES_AS_WRITTEN = re.findall(r"rule: ([\w.]+), (gcs_ci_lock/[\w/]+\.py)", MODEL)
RULES = sorted(set(RULES_AS_WRITTEN))
# What the code says that it is called in the model: file -> names.
NAMES = {
    str(file.relative_to(ROOT)): names[1].split(", ")
    for file in sorted((ROOT / "gcs_ci_lock").rglob("*.py"))
    if (names := re.search(r"^ *In model/lock\.pml: ([\w, ]+)\.$", file.read_text(), re.MULTILINE))
}


def search(*arguments: str) -> tuple[int, str]:
    ended = subprocess.run(
        ["scripts/model", *arguments], cwd=ROOT, check=False, capture_output=True, text=True
    )
    if ended.returncode == 3:
        pytest.skip(ended.stdout.splitlines()[-1])
    return ended.returncode, ended.stdout + ended.stderr


def test_with_two_clients_no_state_breaks_a_property_and_every_step_is_taken() -> None:
    exit_code, said = search("2")

    assert exit_code == 0, said
    assert "every state" in said
    assert ", 0 errors, 0 steps never taken, " in said


@pytest.mark.parametrize(("bug", "broken"), BUGS.items())
def test_a_planted_bug_breaks_its_property(bug: str, broken: str) -> None:
    alone = ["EXCLUSION_ALONE"] if broken == "exclusion" else []

    exit_code, said = search("2", bug, *alone)

    assert exit_code == 1, said
    assert f" 1 error: {broken}, " in said


def test_without_the_generation_tokens_do_not_rise() -> None:
    exit_code, said = search("2", "BUG_NO_GENERATION", "TOKENS_ALONE")

    assert exit_code == 1, said
    assert " 1 error: tokens_strictly_rising, " in said


def test_every_bug_that_the_model_knows_is_planted_here() -> None:
    assert set(re.findall(r"\bBUG_[A-Z_]+\b", MODEL)) == set(BUGS)


@pytest.mark.parametrize("arguments", [[], ["4"], ["2 BUG_NO_GENERATION"]])
def test_any_other_number_of_clients_is_refused(arguments: list[str]) -> None:
    exit_code, said = search(*arguments)

    assert exit_code == 2
    assert said == "model: expected 2 or 3 clients, then macros\n"


def test_every_rule_that_the_model_mentions_has_its_file() -> None:
    # One of them says how to read the others.
    assert MODEL.count("rule: ") - 1 == len(RULES_AS_WRITTEN)
    assert len(RULES) > 20


@pytest.mark.parametrize(("rule", "file"), RULES)
def test_a_rule_of_the_model_is_in_the_code(rule: str, file: str) -> None:
    node: ast.AST = ast.parse((ROOT / file).read_text())

    for name in rule.split("."):
        inside = {
            child.name: child
            for child in ast.iter_child_nodes(node)
            if isinstance(child, ast.ClassDef | ast.FunctionDef)
        }
        assert name in inside, f"{file} has no {rule}"
        node = inside[name]


def test_each_file_that_the_model_names_names_its_part_of_the_model() -> None:
    assert set(NAMES) == {file for _, file in RULES}


@pytest.mark.parametrize(
    ("file", "name"), [(file, name) for file, names in NAMES.items() for name in names]
)
def test_a_name_that_the_code_mentions_is_in_the_model(file: str, name: str) -> None:
    defined = rf"^ *(#define|inline|typedef|hidden byte) {name}\b"

    assert re.search(defined, MODEL, re.MULTILINE), f"{file}: model/lock.pml has no {name}"
