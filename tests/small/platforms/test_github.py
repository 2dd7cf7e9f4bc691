"""What is said to GitHub's runner, judged by its own parsers."""

import itertools
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gcs_ci_lock.platforms import github
from gcs_ci_lock.platforms.github import GitHubStep
from gcs_ci_lock.protocol.record import Owner
from gcs_ci_lock.protocol.takeover import proof_of_end
from gcs_ci_lock.protocol.wait_status import WaitStatus
from gcs_ci_lock.report.messages import wait_lines, wait_title
from tests.support.runner import file_values, log_command, log_commands
from tests.support.samples import WAIT_STATUS, held_by
from tests.support.strategies import HOSTILE, RUNNER_TEXTS, owners


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


def on_github(status: WaitStatus) -> str:
    log: list[str] = []
    step = GitHubStep({}, write=log.append, delimiter=str)
    step.group(wait_title(status), wait_lines(status))
    return "\n".join(log) + "\n"


@pytest.mark.property
@given(RUNNER_TEXTS)
def test_no_line_that_is_said_becomes_a_command(text: str) -> None:
    runner = Runner()

    runner.step.log(text)

    assert log_commands(runner.log) == []
    assert "\n" not in runner.log


@pytest.mark.property
@given(RUNNER_TEXTS, st.sampled_from(["notice", "warning", "error"]))
def test_an_annotation_is_one_command_whatever_its_text(text: str, kind: str) -> None:
    runner = Runner()

    getattr(runner.step, kind)(text)

    (command,) = log_commands(runner.log)
    assert command.name == kind
    assert command.properties == {"title": "gcs-ci-lock"}
    assert all(log_command(line) is None for line in command.data.split("\n"))


@pytest.mark.property
@given(RUNNER_TEXTS, RUNNER_TEXTS)
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

    found = github.owner(environ)

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

    first = github.owner({**environ, "GITHUB_RUN_ATTEMPT": "1", "GITHUB_JOB": "beginning"})
    second = github.owner({**environ, "GITHUB_RUN_ATTEMPT": "2", "GITHUB_JOB": "again"})

    # Both run now, in one run of which only one job was tried again.
    assert proof_of_end(first, second) == ""
    assert second.url == "https://git.acme.example/acme/api/actions/runs/77"


@pytest.mark.example
def test_on_github_the_lines_are_in_a_group() -> None:
    assert on_github(WAIT_STATUS).splitlines() == [
        f"::group::{wait_title(WAIT_STATUS)}",
        *wait_lines(WAIT_STATUS),
        "::endgroup::",
    ]


@pytest.mark.property
@given(owners(HOSTILE), HOSTILE)
def test_a_group_is_two_commands_whatever_the_owners_say(owner: Owner, text: str) -> None:
    status = held_by(owner, frozen_by=text)

    log = on_github(status)

    assert [c.name for c in log_commands(log)] == ["group", "endgroup"]
    assert log.count("\n") == len(wait_lines(status)) + 2
    assert "\n  held by   " in log
    assert log.replace("\n", "").isprintable()
    assert log.isascii()
