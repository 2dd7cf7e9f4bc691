"""What the project's own files promise, read from the files."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

pytestmark = pytest.mark.example

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "gcs_ci_lock"
# Pure as well, in the folder of the idea that they belong to.
PURE_ELSEWHERE = (
    *("locking/request", "locking/lease", "locking/outcome", "locking/polling"),
    *("keepalive/lease_ref", "keepalive/ending", "keepalive/sidecar/messages"),
    *("platforms/github_job", "storage/pinned"),
)
PURE = (
    *sorted((PACKAGE / "protocol").glob("*.py")),
    *(PACKAGE / f"{name}.py" for name in PURE_ELSEWHERE),
)
TARGETS = (
    *("setup", "demo", "lint", "test", "small", "medium", "large", "docs"),
    *("sim", "chaos", "fuzz", "coverage", "mutation"),
)


@pytest.mark.parametrize("name", ["runtime", "build", "dev", "fuzz"])
def test_every_requirement_is_pinned_with_hashes_and_names_no_index(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    requirements = [block for block in re.split(r"\n(?=\S)", text) if "==" in block]

    assert requirements
    assert all("--hash=sha256:" in block for block in requirements)
    assert not re.search(r"://|--(extra-)?index|--find-links|^-[if]\b", text, re.MULTILINE)


def test_what_is_installed_for_running_and_for_developing_is_the_same() -> None:
    def pins(name: str) -> set[str]:
        text = (ROOT / "requirements" / f"{name}.txt").read_text()
        return set(re.findall(r"^\S+==\S+", text, re.MULTILINE))

    assert pins("runtime") | pins("build") <= pins("dev")


@pytest.mark.parametrize("target", TARGETS)
def test_make_knows_its_targets_and_help_names_them(target: str) -> None:
    rehearsal = subprocess.run(["make", "--dry-run", target], cwd=ROOT, check=False)
    listing = subprocess.run(["make"], cwd=ROOT, check=True, capture_output=True, text=True)

    assert rehearsal.returncode == 0
    assert f"make {target} " in listing.stdout


def test_every_approach_that_a_test_may_be_marked_with_is_explained() -> None:
    explanation = (ROOT / "tests" / "README.md").read_text()
    configured = re.findall(
        r'^    "([a-z_]+): ', (ROOT / "pyproject.toml").read_text(), re.MULTILINE
    )

    assert len(configured) == 10
    assert [mark for mark in configured if f"`{mark}`" not in explanation] == []


@pytest.mark.parametrize("file", PURE, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_what_is_pure_imports_nothing_but_the_standard_library_and_what_is_pure(file: Path) -> None:
    names = {name for name in imported(file) if name.partition(".")[0] == PACKAGE.name}
    ours = {".".join(f.relative_to(ROOT).with_suffix("").parts) for f in PURE}

    foreign = [
        name
        for name in imported(file)
        if name not in names and name.partition(".")[0] not in sys.stdlib_module_names
    ]

    assert foreign == []
    assert names - ours <= {"gcs_ci_lock.errors"}


def test_what_the_program_imports_is_what_it_declares() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {
        re.split(r"[<>=\[]", requirement)[0]
        for requirement in project["dependencies"] + project["optional-dependencies"]["dry-run"]
    }
    providers = packages_distributions()

    undeclared = {
        package
        for file in PACKAGE.rglob("*.py")
        for name in imported(file)
        if (package := name.partition(".")[0]) not in {*sys.stdlib_module_names, PACKAGE.name}
        and not declared.intersection(providers.get(package, []))
    }

    assert undeclared == set()


def imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def test_the_tree_holds_texts_only_and_none_that_is_huge() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    files = [ROOT / name for name in listed.stdout.split("\0") if name]

    assert len(files) > 100
    for file in files:
        body = file.read_bytes()
        assert len(body) <= 256 * 1024, file
        assert b"\0" not in body, file
