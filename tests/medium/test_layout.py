"""How the package and its tests are laid out: small files, few a folder, and a test for each."""

import ast
from pathlib import Path

import pytest

pytestmark = pytest.mark.example

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "gcs_ci_lock"
SIZES = ("small", "medium", "large")
MOST_MODULES_IN_THE_ROOT = 8
MOST_MODULES_IN_A_FOLDER = 16
MOST_LINES = 250

# What modules, classes and functions were called once. A reader of an old issue, or of a branch
# that was left lying, must not find the old name with another meaning.
OLD_MODULES = (
    *("core", "ci", "stores", "sidecar"),
    *("held", "minding", "keeper", "keeping", "handed", "wanted", "detached", "leasefile"),
    *("jobend", "waiting", "standing", "lineup", "place", "claims", "deaths", "silence"),
    *("leaving", "intervening", "lock", "stored", "clock", "output", "privatefile", "command"),
    *("dryrun", "emulator", "witness"),
    *("report/lines", "report/people", "report/phrases", "report/progress", "report/live"),
    *("report/summary", "report/timeline"),
    *("action/stages", "action/wish", "action/stepfiles", "action/telling", "action/taking"),
    *("action/staying", "action/giving", "action/ends", "action/between", "action/taken"),
    *("cli/main", "cli/foreground", "cli/inspect", "cli/intervene", "cli/demo"),
    *("cli/supervised", "cli/between", "cli/beside", "cli/freezing", "cli/looking"),
    *("cli/common", "cli/showing"),
)
OLD_CLASSES = """
Tenure Handover Charge News Waiter Standing Lineup Place Claims Deaths Silence Situation Turn
Tolerant Ended Freed Written Stored RecordObject Overtaken AlreadyIn AlreadyOver QueueNeeded
Stranger Kept Minding Held Taken Beside Starting Keeping Voice Heard Home NoSidecar OwnMark
KeeperMark StepFiles Taking Giving Between Ending Command Finished Unfailing GitHubApi RunApi
JobApi CuttableAdapter Patience Sections Refusals NoObject Unchanged Missing Store Entry Found
Chance Observer Invalid Reader Progress LiveWait Bucket Changed Ambiguous Wish Asking Wanted
WantedStop JobAccess Pinned
"""
OLD_FUNCTIONS = """
settled consider overtaken advanced older_of_line line_of living is_dead turn_of most_renewed
known_dead abandoned given_up taken_away loss_known note_of verdict checked_name parsed invalid
spoken clipped beat_of encode_slots slots_text patiently depart sweep keep_handed open_handed
take_all while_kept give_back rest hardened refused showing plainly say open_missing_streams
json_at is_page pin token_word seen_from_outside
"""
# A step speaks to its runner: as a method the word says what it does.
GOOD_METHODS = frozenset({"say"})

MODULES = sorted(PACKAGE.rglob("*.py"))
FOLDERS = sorted({module.parent for module in MODULES} - {PACKAGE})


def shown(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def has_code(module: Path) -> bool:
    """Return whether a module does anything: data, constants and ports only say what there is."""
    functions = (
        node
        for node in ast.walk(ast.parse(module.read_text()))
        if isinstance(node, ast.FunctionDef)
    )
    return any(not is_declaration(function) for function in functions)


def is_declaration(function: ast.FunctionDef) -> bool:
    return all(
        isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant)
        for line in function.body
    )


def name_of_tests(module: Path) -> Path:
    """Return where the tests of a module are, below the folder of their size."""
    name = module.parent.name if module.stem == "__init__" else module.stem
    return module.relative_to(PACKAGE).parent / f"test_{name}.py"


@pytest.mark.parametrize("module", [m for m in MODULES if has_code(m)], ids=shown)
def test_every_module_with_code_has_a_test_file_of_its_name(module: Path) -> None:
    name = name_of_tests(module)

    assert any((ROOT / "tests" / size / name).exists() for size in SIZES), f"tests/*/{name}"


def test_the_root_of_the_package_has_few_modules() -> None:
    assert len(list(PACKAGE.glob("*.py"))) <= MOST_MODULES_IN_THE_ROOT


@pytest.mark.parametrize("folder", FOLDERS, ids=shown)
def test_a_folder_is_one_idea_and_has_few_modules(folder: Path) -> None:
    modules = [module for module in folder.glob("*.py") if module.stem != "__init__"]

    assert 1 <= len(modules) <= MOST_MODULES_IN_A_FOLDER


@pytest.mark.parametrize("module", MODULES, ids=shown)
def test_a_module_is_short(module: Path) -> None:
    assert len(module.read_text().splitlines()) <= MOST_LINES


def test_no_module_has_a_name_of_the_old_layout() -> None:
    left = [
        name
        for name in OLD_MODULES
        if (PACKAGE / name).exists() or (PACKAGE / f"{name}.py").exists()
    ]

    assert left == []


@pytest.mark.parametrize("module", MODULES, ids=shown)
def test_no_class_or_function_has_an_old_name(module: Path) -> None:
    tree = ast.parse(module.read_text())
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    methods = {inner for one in classes for inner in one.body if isinstance(inner, ast.FunctionDef)}
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]

    left = [one.name for one in classes if one.name.lstrip("_") in OLD_CLASSES.split()]
    left += [
        one.name
        for one in functions
        if (bare := one.name.lstrip("_")).startswith("tell_")
        or (bare in OLD_FUNCTIONS.split() and not (one in methods and bare in GOOD_METHODS))
    ]

    assert left == []
