"""Sizes and limits of the tests, as tests/README.md describes them."""

import os
import signal
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Final, NoReturn

import pytest
from hypothesis import find, settings
from hypothesis.strategies import text

SIZES: Final = ("small", "medium", "large")
# Seconds on the clock, after which a test is ended. Those of small and medium tests only end what
# hangs: the limits below judge them, and a busy machine slows them without failing them.
TIME_LIMITS: Final = {"small": 120, "medium": 120, "large": 300}
# Seconds of processor time.
SMALL_CPU_LIMIT: Final = 2.0
# Seconds in which nothing on this machine waits for a processor.
MEDIUM_LIMIT: Final = 20.0
# How many medium tests stand between two large ones.
MEDIUM_TO_A_LARGE: Final = 8
PRESSURE: Final = Path("/proc/pressure/cpu")
FORBID_SKIPS: Final = "GCS_CI_LOCK_TESTS_FORBID_SKIPS"
NO_ENGINE: Final = "GCS_CI_LOCK_TESTS_NO_ENGINE"

pytest.register_assert_rewrite("tests.contracts", "tests.support")

# The limits above are ours; hypothesis's own 200 ms for one example would fail on a busy machine.
# The gate tries the same examples for the same code: a change is not refused for what an older one
# left. Whoever runs the tests by hand, and `make fuzz`, looks for new ones each time.
settings.register_profile(
    "gcs-ci-lock", parent=settings(), deadline=None, derandomize=bool(os.environ.get(FORBID_SKIPS))
)
settings.load_profile("gcs-ci-lock")


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop() -> None:
    """Forget what was inherited; let hypothesis make its table of characters.

    The table takes two seconds in a new checkout, which are no test's.
    """
    inherit_nothing()
    find(text(min_size=1), lambda _: True)


def inherit_nothing() -> None:
    """Let what tests start begin as in a shell of its own, whatever this run was started by.

    Under nohup, or in the background, some signals are ignored, and every program that is started
    would go on ignoring them. We go on too, but by a handler, and that no program inherits.
    """
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.umask(0o022)
    # The options of this run are not those of one that a test starts.
    os.environ.pop("PYTEST_ADDOPTS", None)


def pytest_configure(config: pytest.Config) -> None:
    """Watch for skipped tests where none is allowed."""
    if os.environ.get(FORBID_SKIPS):
        config.pluginmanager.register(NothingIsSkipped(), "nothing-is-skipped")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each test the marks of its folder, and run the small ones first."""
    of_size: dict[str, list[pytest.Item]] = {size: [] for size in SIZES}
    for item in items:
        size = size_of(item.path)
        item.add_marker(size)
        item.add_marker(pytest.mark.timeout(TIME_LIMITS[size]), append=False)
        of_size[size].append(item)
    items[:] = [*of_size["small"], *mixed(of_size["medium"], in_turns(of_size["large"]))]


def in_turns(items: list[pytest.Item]) -> list[pytest.Item]:
    """Let each file have one test in turn: what is like another does not run beside it."""
    seen = Counter[Path]()
    turns = {}
    for item in items:
        turns[item] = seen[item.path]
        seen[item.path] += 1
    return sorted(items, key=turns.__getitem__)


def mixed(medium: list[pytest.Item], large: list[pytest.Item]) -> Iterator[pytest.Item]:
    """Put a large test after every few medium ones: it waits while they compute elsewhere."""
    left = iter(large)
    for number, item in enumerate(medium, start=1):
        yield item
        if number % MEDIUM_TO_A_LARGE == 0:
            yield from islice(left, 1)
    yield from left


def size_of(path: Path) -> str:
    """Return the size that a test file's folder stands for."""
    size = path.relative_to(Path(__file__).parent).parts[0]
    if size not in SIZES:
        message = f"{path}: expected tests in one of tests/{{{','.join(SIZES)}}}"
        raise pytest.UsageError(message)
    return size


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip large tests where there is no Docker engine."""
    reason = os.environ.get(NO_ENGINE)
    if reason and size_of(item.path) == "large":
        pytest.skip(reason)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """Hold small and medium tests to what their size allows."""
    match size_of(item.path):
        case "small":
            began = time.process_time()
            with nothing_but_computing():
                result = yield
            spent = time.process_time() - began
            if spent > SMALL_CPU_LIMIT:
                may = f"a small test may take {SMALL_CPU_LIMIT:g} s"
                pytest.fail(f"took {spent:.1f} s of processor time; {may}", pytrace=False)
        case "medium":
            began = unhindered()
            result = yield
            spent = unhindered() - began
            if spent > MEDIUM_LIMIT:
                may = f"a medium test may take {MEDIUM_LIMIT:g} s"
                pytest.fail(f"took {spent:.1f} s on a free machine; {may}", pytrace=False)
        case _:
            result = yield
    return result


def unhindered() -> float:
    """Return the seconds so far in which nothing on this machine waited for a processor.

    Where the kernel does not count them, no time passes.
    """
    try:
        pressure = PRESSURE.read_text()
    except OSError:
        return 0.0
    return time.monotonic() - int(pressure.splitlines()[0].rpartition("total=")[2]) / 1e6


@contextmanager
def nothing_but_computing() -> Iterator[None]:
    """Make sockets, sleep and other processes fail the test that uses them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "sleep", refusal("time.sleep"))
        for method in ("connect", "connect_ex", "bind", "sendto"):
            patch.setattr(socket.socket, method, refusal(f"socket.{method}"))
        patch.setattr(subprocess.Popen, "__init__", refusal("subprocess.Popen"))
        yield


def refusal(what: str) -> Callable[..., NoReturn]:
    """Return what stands in for something that a small test may not use."""

    def refuse(*_arguments: object, **_named: object) -> NoReturn:
        pytest.fail(
            f"{what}: a small test is one process without sockets or sleep; see tests/README.md"
        )

    return refuse


class NothingIsSkipped:
    """Fails the session if any test was skipped."""

    def __init__(self) -> None:
        """Start with none."""
        self.skipped: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a skipped test; an expected failure is reported as skipped too, but ran."""
        if report.skipped and not hasattr(report, "wasxfail"):
            self.skipped.append(report.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note a file that was skipped as a whole."""
        if report.skipped:
            self.skipped.append(report.nodeid)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Turn a green session with skips into a failed one."""
        if self.skipped and session.exitstatus in (
            pytest.ExitCode.OK,
            pytest.ExitCode.NO_TESTS_COLLECTED,
        ):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say so."""
        if self.skipped:
            terminalreporter.section(f"{FORBID_SKIPS} is set", red=True)
            for name in self.skipped:
                terminalreporter.line(f"skipped, which is not allowed here: {name}", red=True)
