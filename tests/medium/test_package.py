"""The package as others get it: its wheel is built from its sdist and used without the source."""

import ast
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

import gcs_ci_lock

pytestmark = pytest.mark.end_to_end

ROOT = Path(__file__).parents[2]
# What a developer's folder holds besides, and what nobody else is to get.
STRAY = (".venv/secret", "dist/old.whl", "gcs_ci_lock/__pycache__/api.pyc", ".coverage")


def run(*argv: str | Path, folder: Path) -> str:
    done = subprocess.run(
        argv,
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "PIP_NO_INDEX": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=18,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def files() -> list[str]:
    """Return the names of the files that are tracked, or would be if they were added."""
    listing = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    names = run(*listing, folder=ROOT).split("\0")
    return [name for name in names if name and (ROOT / name).exists()]


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return what hatchling packs of the repository, with stray ones beside them."""
    source = tmp_path_factory.mktemp("source")
    for name in (*files(), *STRAY):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        if name in STRAY:
            (source / name).write_text("stray")
        else:
            shutil.copy(ROOT / name, source / name)
    target = tmp_path_factory.mktemp("sdist")
    run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", target, folder=source)
    (file,) = target.glob("*.tar.gz")
    return file


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel that is built from the sdist, with what is installed here."""
    target = tmp_path_factory.mktemp("wheel")
    building = ("wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", target, sdist)
    run(sys.executable, "-m", "pip", *building, folder=target)
    (file,) = target.glob("*.whl")
    return file


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a virtual environment with the wheel, which finds the dependencies in ours."""
    venv = tmp_path_factory.mktemp("installed") / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", venv, folder=venv.parent)
    python = venv / "bin" / "python"
    asked = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = Path(run(python, "-c", asked, folder=venv.parent).strip())
    # A path that a .pth file names is searched, but the .pth files there, which lead to the source
    # tree, are not read.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    installing = ("install", "--quiet", "--no-deps", "--no-compile", wheel)
    run(sys.executable, "-m", "pip", "--python", python, *installing, folder=venv.parent)
    return venv


def test_the_sdist_holds_the_files_of_the_repository_and_nothing_else(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    assert names - {"PKG-INFO"} == set(files())


def test_the_wheel_holds_the_package_its_types_and_its_licence_and_no_tests(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())

    ours = {name for name in files() if name.startswith("gcs_ci_lock/")}
    (information,) = {name.partition("/")[0] for name in names} - {"gcs_ci_lock"}
    assert {name for name in names if name.startswith("gcs_ci_lock/")} == ours
    assert "gcs_ci_lock/py.typed" in ours
    assert re.fullmatch(r"gcs_ci_lock-[\d.]+\.dist-info", information)
    assert f"{information}/licenses/LICENSE" in names


def test_its_console_script_runs_without_the_source_tree(installed: Path, tmp_path: Path) -> None:
    program = installed / "bin" / "gcs-ci-lock"

    version = run(program, "--version", folder=tmp_path)
    text = run(program, "--help", folder=tmp_path)

    assert re.fullmatch(r"gcs-ci-lock \d+\.\d+\.\d+\n", version)
    assert "acquire" in text


def test_what_is_imported_is_the_wheel(installed: Path, tmp_path: Path) -> None:
    program = """
import importlib.util
import gcs_ci_lock
for name in gcs_ci_lock.__all__:
    getattr(gcs_ci_lock, name)
print(gcs_ci_lock.Lock("prod", bucket="acme-locks"))
print(gcs_ci_lock.__file__, importlib.util.find_spec("tests"))
"""

    lines = run(installed / "bin" / "python", "-c", program, folder=tmp_path).splitlines()

    file, tests = lines[1].split()
    assert lines[0].startswith("<gcs_ci_lock.api.Lock object")
    assert Path(file).is_relative_to(installed)
    assert tests == "None"
    assert Path(gcs_ci_lock.__file__).is_relative_to(ROOT)


def test_the_use_that_mypy_checks_names_everything_public() -> None:
    tree = ast.parse((ROOT / "tests" / "typing" / "public_api.py").read_text())
    (imported,) = [
        node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module != "typing"
    ]
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    checked = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]["files"]

    assert imported.module == "gcs_ci_lock"
    assert {alias.name for alias in imported.names} == set(gcs_ci_lock.__all__)
    assert set(gcs_ci_lock.__all__) <= used
    assert "tests" in checked
