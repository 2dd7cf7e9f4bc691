"""The generated tables of README.md and docs/: `make docs` writes, `make lint` checks them."""

import ast
import re
import tomllib
from pathlib import Path
from typing import Any, cast

from ruamel.yaml import YAML

from gcs_ci_lock import errors
from gcs_ci_lock.cli.app import app
from tests.simulation.wrong import PLANTED

ROOT = Path(__file__).parent.parent
_EXIT_CODES = {
    0: "success",
    errors.LockError.exit_code: "unexpected error",
    errors.UsageError.exit_code: "usage or configuration: an option, an input, the bucket, the "
    "record",
    errors.StorageUnreachable.exit_code: "the storage server gives no usable answer; from `run` "
    "and `hold` also: all went well, but a lock could not be released",
    errors.NotAcquired.exit_code: "the lock was not acquired: timeout, superseded or outdated",
    errors.LeaseLost.exit_code: "the lease was lost; `run` has stopped its command",
    errors.Denied.exit_code: "credentials are missing or refused, or lack a permission",
}


def inputs() -> str:
    """Return the action's inputs as a table."""
    rows = [
        (f"`{name}`", f"`{spec['default']}`" if spec.get("default") else "", spec["description"])
        for name, spec in _action()["inputs"].items()
    ]
    return _table(("input", "default", "meaning"), rows)


def outputs() -> str:
    """Return the action's outputs as a table."""
    rows = [(f"`{name}`", spec["description"]) for name, spec in _action()["outputs"].items()]
    return _table(("output", "meaning"), rows)


def exit_codes() -> str:
    """Return the exit codes as a table."""
    rows = [(str(code), meaning) for code, meaning in sorted(_EXIT_CODES.items())]
    rows.append(("128 + N", "ended by signal N, such as 130 and 143"))
    return _table(("exit code", "meaning"), rows)


def commands() -> str:
    """Return the commands as a table."""
    rows = []
    for command in app.registered_commands:
        if command.hidden or command.callback is None:
            continue
        summary = (command.callback.__doc__ or "").split("\n")[0].rstrip(".")
        rows.append((f"`{command.name}`", summary))
    return _table(("command", "does"), rows)


def planted_bugs() -> str:
    """Return the wrong versions of the code as a table."""
    rows = []
    for planted in PLANTED:
        sort = "the test" if planted.by_trace else "the property"
        rows.append((planted.name, f"{sort} `{planted.caught_by.rpartition('::')[2]}`"))
    return _table(("wrong version", "caught by"), rows)


def modules() -> str:
    """Return what each module is for, as a table: importers before what they import."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = settings["tool"]["importlinter"]["contracts"]
    [layers] = [one["layers"] for one in contracts if one["id"] == "layers"]
    rows = []
    for name in (name for layer in layers for name in re.findall(r"\w+", layer)):
        folder = ROOT / "gcs_ci_lock" / name
        file = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
        summary = (ast.get_docstring(ast.parse(file.read_text())) or "").split("\n")[0]
        shown = f"`{name}/`" if folder.is_dir() else f"`{name}.py`"
        rows.append((shown, summary.rstrip(".").replace("|", "\\|")))
    return _table(("module", "is"), rows)


def _action() -> dict[str, Any]:
    return cast("dict[str, Any]", YAML(typ="safe").load(ROOT / "action.yml"))


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n" + "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
