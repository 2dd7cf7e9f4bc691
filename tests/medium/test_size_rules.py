"""tests/conftest.py holds each size to its rules: seen from outside, in a project of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.example

CONFTEST = Path(__file__).parents[1] / "conftest.py"
CONFIGURATION = """
[pytest]
addopts = --strict-markers -p no:cacheprovider
markers =
    small
    medium
    large
"""


class Project:
    """A project with our conftest.py and tests of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "tests").mkdir()
        (root / "tests" / "conftest.py").write_text(CONFTEST.read_text())
        (root / "pytest.ini").write_text(CONFIGURATION)

    def write(self, path: str, source: str) -> None:
        file = self.root / "tests" / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(source)

    def change(self, before: str, after: str) -> None:
        """Let our conftest.py say something else."""
        file = self.root / "tests" / "conftest.py"
        assert before in file.read_text()
        file.write_text(file.read_text().replace(before, after))

    def run(
        self, *arguments: str, within: tuple[str, ...] = (), **environment: str
    ) -> subprocess.CompletedProcess[str]:
        ours = ("GCS_CI_LOCK_", "PYTEST_XDIST_")
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
        return subprocess.run(
            [*within, sys.executable, "-m", "pytest", *arguments],
            cwd=self.root,
            env=inherited | environment,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.mark.parametrize(
    "statement",
    [
        "import time; time.sleep(0)",
        "import socket; socket.create_connection(('127.0.0.1', 9))",
        "import socket; socket.socket().bind(('127.0.0.1', 0))",
        "import subprocess; subprocess.run(['true'])",
    ],
)
def test_a_small_test_may_neither_sleep_nor_reach_out(project: Project, statement: str) -> None:
    body = f"    try:\n        {statement}\n    except Exception:\n        pass\n"
    project.write("small/test_it.py", f"def test_it():\n{body}")

    result = project.run()

    assert result.returncode == 1
    assert "a small test is one process without sockets or sleep" in result.stdout


def test_a_medium_test_may(project: Project) -> None:
    project.write("medium/test_it.py", "import time\ndef test_it(): time.sleep(0)\n")

    assert project.run().returncode == 0


def test_a_small_test_that_computes_too_long_fails(project: Project) -> None:
    source = """\
import time
def test_it():
    began = time.process_time()
    while time.process_time() < began + 2.5: pass
"""
    project.write("small/test_it.py", source)

    result = project.run()

    assert result.returncode == 1
    assert "a small test may take 2 s" in result.stdout


@pytest.mark.parametrize(("waited", "exit_code"), [(0, 1), (2_000_000, 0)])
def test_a_medium_test_that_takes_too_long_fails_unless_the_machine_was_busy(
    project: Project, waited: int, exit_code: int
) -> None:
    project.change('Path("/proc/pressure/cpu")', 'Path("pressure")')
    project.change("MEDIUM_LIMIT: Final = 20.0", "MEDIUM_LIMIT: Final = 0.5")
    pressure = "some avg10=0.00 avg60=0.00 avg300=0.00 total={}\\n"
    source = f"""\
import pathlib, time
def test_it():
    time.sleep(1)
    pathlib.Path("pressure").write_text("{pressure.format(7 + waited)}")
"""
    project.write("medium/test_it.py", source)
    (project.root / "pressure").write_text("some avg10=0.00 avg60=0.00 avg300=0.00 total=7\n")

    result = project.run()

    assert result.returncode == exit_code, result.stdout
    assert ("a medium test may take 0.5 s" in result.stdout) == bool(exit_code)


def test_sizes_run_in_their_order_and_are_marked(project: Project) -> None:
    for size in ("large", "medium", "small"):
        project.write(f"{size}/test_{size}.py", "def test_it(): pass\n")

    everything = project.run("--collect-only", "-q").stdout
    large = project.run("--collect-only", "-q", "-m", "large").stdout

    assert [line.split("/")[1] for line in everything.splitlines() if "::" in line] == [
        "small",
        "medium",
        "large",
    ]
    assert [line.split("/")[1] for line in large.splitlines() if "::" in line] == ["large"]


def test_a_large_test_stands_after_every_few_medium_ones_and_files_take_turns(
    project: Project,
) -> None:
    project.change("MEDIUM_TO_A_LARGE: Final = 8", "MEDIUM_TO_A_LARGE: Final = 2")
    two = "def test_1(): pass\ndef test_2(): pass\n"
    for path in ("large/test_a.py", "large/test_b.py", "medium/test_c.py", "medium/test_d.py"):
        project.write(path, two)
    project.write("medium/test_e.py", "def test_1(): pass\n")

    listed = project.run("--collect-only", "-q").stdout

    order_of_files = ["c1", "c2", "a1", "d1", "d2", "b1", "e1", "a2", "b2"]
    order = [line[-len("a.py::test_1") :] for line in listed.splitlines() if "::" in line]
    assert [f"{one[0]}{one[-1]}" for one in order] == order_of_files


def test_a_test_without_a_size_is_refused(project: Project) -> None:
    project.write("other/test_it.py", "def test_it(): pass\n")

    result = project.run()

    assert result.returncode == pytest.ExitCode.USAGE_ERROR
    assert "expected tests in one of tests/{small,medium,large}" in result.stderr


def test_large_tests_are_skipped_with_the_reason_where_there_is_no_engine(
    project: Project,
) -> None:
    project.write("large/test_it.py", "def test_it(): pass\n")

    result = project.run("-ra", GCS_CI_LOCK_TESTS_NO_ENGINE="not root")

    assert result.returncode == 0
    assert "not root" in result.stdout
    assert "1 skipped" in result.stdout.splitlines()[-1]


@pytest.mark.parametrize("workers", [(), ("-n", "1")], ids=["no worker", "a worker"])
@pytest.mark.parametrize(
    "source",
    [
        "import pytest\ndef test_it(): pytest.skip('no')\n",
        "import pytest\n@pytest.mark.skip(reason='no')\ndef test_it(): pass\n",
        "import pytest\npytest.skip('no', allow_module_level=True)\n",
    ],
)
def test_a_skip_fails_the_session_where_skips_are_forbidden(
    project: Project, source: str, workers: tuple[str, ...]
) -> None:
    project.write("small/test_fine.py", "def test_it(): pass\n")
    project.write("small/test_skipped.py", source)

    allowed = project.run(*workers)
    forbidden = project.run(*workers, GCS_CI_LOCK_TESTS_FORBID_SKIPS="1")

    assert allowed.returncode == 0
    assert forbidden.returncode == 1
    assert "skipped, which is not allowed here: tests/small/test_skipped.py" in forbidden.stdout


def test_an_expected_failure_is_no_skip(project: Project) -> None:
    source = "import pytest\n@pytest.mark.xfail(strict=True)\ndef test_it(): assert False\n"
    project.write("small/test_it.py", source)

    assert project.run(GCS_CI_LOCK_TESTS_FORBID_SKIPS="1").returncode == 0
    assert project.run("-n", "1", GCS_CI_LOCK_TESTS_FORBID_SKIPS="1").returncode == 0


@pytest.mark.parametrize("workers", [(), ("-n", "1")], ids=["no worker", "a worker"])
def test_what_a_test_starts_inherits_nothing_of_what_started_the_tests(
    project: Project, workers: tuple[str, ...]
) -> None:
    started = """\
import os, signal
for number in (signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM, signal.SIGCHLD):
    assert signal.getsignal(number) is signal.SIG_DFL, number
assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
assert not signal.pthread_sigmask(signal.SIG_BLOCK, ())
assert os.umask(0) == 0o022
assert "PYTEST_ADDOPTS" not in os.environ
"""
    source = f"""\
import subprocess, sys
def test_it(): subprocess.run([sys.executable, "-c", {started!r}], check=True)
"""
    project.write("medium/test_it.py", source)
    careless = ("sh", "-c", 'trap "" HUP INT QUIT TERM; umask 077; exec "$@"', "sh")

    result = project.run(*workers, within=careless, PYTEST_ADDOPTS="-q")

    assert result.returncode == 0, result.stdout
