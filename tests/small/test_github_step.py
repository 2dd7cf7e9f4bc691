"""What is said to GitHub's runner, judged by its own parsers."""

import itertools
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gcs_ci_lock.platforms.github import GitHubStep, owner
from gcs_ci_lock.protocol.takeover import proof_of_end
from gcs_ci_lock.report.markdown import plain, summary_table
from tests.support.runner import file_values, log_command, log_commands

# Every piece of the runner's own syntax, in any order, among any characters.
PIECES = [
    "::",
    "##[",
    "]",
    "error",
    " title=x",
    "%0A",
    "%25",
    "\r",
    "\n",
    "=",
    "<<",
    "word",
    "\x1b",
]
HOSTILE = st.one_of(
    st.text(max_size=60), st.lists(st.sampled_from(PIECES), max_size=12).map("".join)
)


class Runner:
    """Takes what a step says."""

    def __init__(self, words: Callable[[], str] | None = None) -> None:
        self.lines: list[str] = []
        self.files: dict[str, str] = {}
        count = itertools.count()
        self.step = _StepInMemory(
            self.files,
            write=self.lines.append,
            delimiter=words or (lambda: f"word-{next(count)}"),
        )

    @property
    def log(self) -> str:
        return "\n".join(self.lines)


class _StepInMemory(GitHubStep):
    """A step whose files are kept in memory: small tests have none."""

    def __init__(
        self,
        files: dict[str, str],
        *,
        write: Callable[[str], None],
        delimiter: Callable[[], str],
    ) -> None:
        super().__init__({}, write=write, delimiter=delimiter)
        self._files = files

    def _append(self, variable: str, text: str) -> None:
        clean = text.encode(errors="replace").decode()
        self._files[variable] = self._files.get(variable, "") + clean


@pytest.mark.property
@given(HOSTILE)
def test_no_line_that_is_said_becomes_a_command(text: str) -> None:
    runner = Runner()

    runner.step.say(text)

    assert log_commands(runner.log) == []
    assert "\n" not in runner.log


@pytest.mark.property
@given(HOSTILE, st.sampled_from(["notice", "warning", "error"]))
def test_an_annotation_is_one_command_whatever_its_text(text: str, kind: str) -> None:
    runner = Runner()

    getattr(runner.step, kind)(text)

    (command,) = log_commands(runner.log)
    assert command.name == kind
    assert command.properties == {"title": "gcs-ci-lock"}
    assert all(log_command(line) is None for line in command.data.split("\n"))


@pytest.mark.property
@given(HOSTILE, HOSTILE)
def test_an_output_is_exactly_what_was_set_and_nothing_else(first: str, second: str) -> None:
    runner = Runner()

    runner.step.set_output("one", first)
    runner.step.set_output("two", second)

    assert file_values(runner.files["GITHUB_OUTPUT"]) == {
        "one": first.encode(errors="replace").decode(),
        "two": second.encode(errors="replace").decode(),
    }


@pytest.mark.example
def test_a_value_that_holds_the_delimiter_gets_another_one() -> None:
    words = iter(["guess", "other"])
    runner = Runner(lambda: next(words))

    runner.step.save_state("lease", "x\nguess\nevil=1")

    assert file_values(runner.files["GITHUB_STATE"]) == {"lease": "x\nguess\nevil=1"}


@pytest.mark.example
def test_each_line_of_a_secret_is_masked() -> None:
    runner = Runner()

    runner.step.mask("first%\n\nsecond::x")

    commands = log_commands(runner.log)
    assert [(c.name, c.data) for c in commands] == [
        ("add-mask", "first%"),
        ("add-mask", "second::x"),
    ]


@pytest.mark.property
@given(HOSTILE)
def test_no_text_leaves_its_cell_of_the_summary(text: str) -> None:
    cell = plain(text)

    table = summary_table([("who", cell)])

    assert cell == "" or (cell[0] == cell[-1] == "`" and "`" not in cell[1:-1])
    assert table.count("\n") == 3
    assert table.split("\n")[2].count("|") == 3
    assert "\\" not in cell


@pytest.mark.example
def test_a_summary_that_is_too_large_is_left_out_whole() -> None:
    runner = Runner()

    runner.step.add_summary("x" * 1024 * 1024)

    assert runner.files == {}


@pytest.mark.example
@pytest.mark.parametrize(("given_value", "expected"), [("", "30m"), ("  ", "30m"), (" 5m ", "5m")])
def test_an_input_that_is_empty_is_one_that_is_not_set(given_value: str, expected: str) -> None:
    step = GitHubStep({"INPUT_WAIT": given_value}, write=print, delimiter=str)

    assert step.input("wait", "30m") == expected


@pytest.mark.example
def test_dashes_stay_in_the_names_of_inputs() -> None:
    step = GitHubStep({"INPUT_MAX-HOLD": "1h"}, write=print, delimiter=str)

    assert step.input("max-hold") == "1h"


@pytest.mark.example
def test_a_runner_without_file_commands_is_told_nothing() -> None:
    step = GitHubStep({}, write=print, delimiter=lambda: "word")

    step.set_output("acquired", "true")

    assert step.state("lease") is None


@pytest.mark.example
def test_the_owner_is_the_job_with_the_page_of_its_attempt() -> None:
    environ = {
        "GITHUB_SERVER_URL": "https://github.com",
        "GITHUB_REPOSITORY": "acme/api",
        "GITHUB_RUN_ID": "8123",
        "GITHUB_RUN_ATTEMPT": "2",
        "GITHUB_WORKFLOW": "deploy",
    }

    found = owner(environ)

    assert found.url == "https://github.com/acme/api/actions/runs/8123/attempts/2"
    assert (found.platform, found.repository, found.workflow) == ("github", "acme/api", "deploy")
    assert found.attempt == "2"


@pytest.mark.example
@pytest.mark.parametrize("server", ["GITEA_ACTIONS", "FORGEJO_ACTIONS"])
def test_attempts_that_a_server_counts_for_each_job_are_not_those_of_the_run(server: str) -> None:
    environ = {
        "GITHUB_SERVER_URL": "https://git.acme.example",
        "GITHUB_REPOSITORY": "acme/api",
        "GITHUB_RUN_ID": "77",
        server: "true",
    }

    first = owner({**environ, "GITHUB_RUN_ATTEMPT": "1", "GITHUB_JOB": "beginning"})
    second = owner({**environ, "GITHUB_RUN_ATTEMPT": "2", "GITHUB_JOB": "again"})

    # Both run now, in one run of which only one job was tried again.
    assert proof_of_end(first, second) == ""
    assert second.url == "https://git.acme.example/acme/api/actions/runs/77"
