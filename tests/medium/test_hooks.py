"""The git hooks: a commit that lint would refuse is refused, and no hook of yours is replaced."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.end_to_end

ROOT = Path(__file__).parents[2]
HOOKS = ("pre-commit", "pre-push")
UGLY = "x = {  'a':1 }\n"


class Checkout:
    """The files of this repository in a folder of their own, with its tools."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environ = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(root.parent),
            "PREK_HOME": str(root.parent / "prek"),
            "GIT_CONFIG_NOSYSTEM": "1",
        }
        for name in tracked():
            target = root / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target)
        (root / ".venv").symlink_to(ROOT / ".venv")
        # The pattern `.venv/` names a folder, and this is a link.
        self.git("init", "--quiet", "--initial-branch=main", where=root)
        (root / ".git" / "info" / "exclude").write_text(".venv\n")

    def git(self, *arguments: str, where: Path | None = None) -> str:
        done = self.run("git", *arguments, where=where)
        assert done.returncode == 0, done
        return done.stdout.strip()

    def run(self, *argv: str, where: Path | None = None) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            argv,
            cwd=where or self.root,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=18,
            check=False,
        )

    def install(self) -> str:
        done = self.run("scripts/hooks")
        assert done.returncode == 0, done
        return done.stdout

    def write(self, name: str, content: str | bytes) -> str:
        body = content if isinstance(content, bytes) else content.encode()
        (self.root / name).write_bytes(body)
        (self.root / name).chmod(0o755 if body.startswith(b"#!") else 0o644)
        return name

    def commit(self, *names: str) -> "subprocess.CompletedProcess[str]":
        self.git("add", *names)
        author = ("-c", "user.name=alice", "-c", "user.email=alice@example.org")
        return self.run("git", *author, "commit", "--quiet", "--message", "tests: commit it")

    def hooks(self) -> list[str]:
        folder = self.root / ".git" / "hooks"
        return sorted(file.name for file in folder.iterdir() if file.suffix != ".sample")


def tracked() -> Iterator[str]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return (name for name in listed.stdout.split("\0") if name and (ROOT / name).exists())


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path / "checkout")


def test_this_tree_may_be_committed(checkout: Checkout) -> None:
    assert "installed: pre-commit pre-push" in checkout.install()
    assert checkout.hooks() == list(HOOKS)

    accepted = checkout.commit("--all")

    assert accepted.returncode == 0, accepted.stdout
    assert "ruff format" in accepted.stdout


def test_a_badly_formatted_file_is_refused(checkout: Checkout) -> None:
    checkout.install()

    refused = checkout.commit(checkout.write("gcs_ci_lock/ugly.py", UGLY))

    assert refused.returncode == 1, refused.stdout
    assert "-x = {  'a':1 }" in refused.stdout
    assert "to fix: .venv/bin/ruff format" in refused.stdout
    assert checkout.git("rev-list", "--all") == ""


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("gcs_ci_lock/fault.py", '"""Fault."""\n\nimport os\n', "F401"),
        ("scripts/fault", "#!/bin/bash\necho $1\n", "SC2086"),
        ("README.md", (ROOT / "README.md").read_text().replace("| `run` |", "| `walk` |"), "walk"),
        ("picture.png", b"\x89PNG\r\n\x1a\n\0", "picture.png"),
    ],
    ids=["ruff", "shellcheck", "generated text", "binary"],
)
def test_what_each_check_refuses(
    checkout: Checkout, name: str, content: bytes | str, complaint: str
) -> None:
    checkout.install()

    refused = checkout.commit(checkout.write(name, content))

    assert refused.returncode == 1, refused.stdout
    assert complaint in refused.stdout


def test_a_push_is_linted(checkout: Checkout, tmp_path: Path) -> None:
    lint = checkout.write("scripts/lint", "#!/bin/sh\necho linted\nexit 1\n")
    assert checkout.commit(lint, ".pre-commit-config.yaml").returncode == 0
    checkout.install()
    checkout.git("init", "--quiet", "--bare", str(tmp_path / "remote"))

    refused = checkout.run("git", "push", "--quiet", str(tmp_path / "remote"), "main")

    assert refused.returncode == 1, refused.stdout
    assert "linted" in refused.stdout


def test_installing_again_changes_nothing(checkout: Checkout) -> None:
    checkout.install()
    first = [(checkout.root / ".git" / "hooks" / name).read_text() for name in HOOKS]

    checkout.install()

    assert [(checkout.root / ".git" / "hooks" / name).read_text() for name in HOOKS] == first
    assert checkout.hooks() == list(HOOKS)


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_of_yours_is_left_as_it_is(checkout: Checkout, hook: str) -> None:
    yours = checkout.root / ".git" / "hooks" / hook
    yours.write_text("#!/bin/sh\necho yours\n")

    said = checkout.install()

    assert "not installed: you have a hook of your own" in said
    assert ".venv/bin/prek run --stage pre-commit" in said
    assert yours.read_text() == "#!/bin/sh\necho yours\n"
    assert checkout.hooks() == [hook]


@pytest.mark.parametrize("scope", ["--local", "--global"])
def test_nothing_is_written_into_your_hooks_path(
    checkout: Checkout, tmp_path: Path, scope: str
) -> None:
    yours = tmp_path / "yours"
    yours.mkdir()
    checkout.git("config", scope, "core.hooksPath", str(yours))

    said = checkout.install()

    assert f"not installed: core.hooksPath is set ({yours})" in said
    assert list(yours.iterdir()) == []
    assert checkout.hooks() == []


def without_git(checkout: Checkout) -> None:
    shutil.rmtree(checkout.root / ".git")


def inside_another(checkout: Checkout) -> None:
    without_git(checkout)
    checkout.git("init", "--quiet", where=checkout.root.parent)


def in_ci(checkout: Checkout) -> None:
    checkout.environ["CI"] = "true"


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (without_git, "this folder is not a git work tree"),
        (inside_another, "this folder is not a git work tree"),
        (in_ci, "CI is set"),
    ],
)
def test_where_there_is_nothing_to_hook_into_setup_goes_on(
    checkout: Checkout, given: Callable[[Checkout], None], reason: str
) -> None:
    given(checkout)

    said = checkout.install()

    assert f"not installed: {reason}" in said
    assert not list(checkout.root.parent.rglob("hooks/pre-commit"))


def test_a_commit_that_has_no_configuration_yet_is_not_refused(checkout: Checkout) -> None:
    checkout.install()
    (checkout.root / ".pre-commit-config.yaml").unlink()

    done = checkout.commit(checkout.write("gcs_ci_lock/ugly.py", UGLY))

    assert done.returncode == 0, done.stdout
