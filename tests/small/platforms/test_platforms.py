"""All CI systems alike: which of them runs us, and what each does with hostile text."""

from dataclasses import replace

import pytest

from gcs_ci_lock.platforms import PLATFORMS, current, github, gitlab, in_ci, local
from gcs_ci_lock.report.messages import wait_lines, wait_title
from tests.support.gitlab import markers
from tests.support.runner import log_commands
from tests.support.samples import ALICE, held_by

pytestmark = pytest.mark.example


@pytest.mark.parametrize(
    ("environ", "platform", "repository"),
    [
        ({"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "acme/api"}, "github", "acme/api"),
        ({"GITLAB_CI": "true", "CI_PROJECT_PATH": "acme/web"}, "gitlab", "acme/web"),
        ({"GITHUB_REPOSITORY": "acme/api"}, "local", ""),
    ],
)
def test_the_owner_is_found_where_the_program_runs(
    environ: dict[str, str], platform: str, repository: str
) -> None:
    owner = current(environ).owner(environ)

    assert (owner.platform, owner.repository) == (platform, repository)


@pytest.mark.parametrize("value", ["", "1", "True", "false"])
def test_only_the_exact_word_makes_a_job(value: str) -> None:
    assert current({"GITHUB_ACTIONS": value, "GITLAB_CI": value}) is local


@pytest.mark.parametrize("marker", ["CI", "GITHUB_ACTIONS", "GITLAB_CI"])
@pytest.mark.parametrize(
    ("value", "expected"),
    [("true", True), ("1", True), ("", False), ("0", False), ("false", False)],
)
def test_a_job_of_any_ci_system_is_one(marker: str, value: str, *, expected: bool) -> None:
    assert in_ci({marker: value}) is expected


def test_a_persons_machine_is_no_ci() -> None:
    assert not in_ci({"GITHUB_TOKEN": "t", "CI_SERVER_URL": "https://gitlab.acme.test"})


def test_each_system_has_a_name_and_a_marker_of_its_own() -> None:
    assert [platform.name for platform in PLATFORMS] == ["github", "gitlab", "local"]
    assert len({platform.marker for platform in PLATFORMS}) == len(PLATFORMS)
    for platform in PLATFORMS:
        assert platform.owner({}).platform == platform.name


def test_the_last_system_always_detects_its_job() -> None:
    assert PLATFORMS[-1].detect({})


def test_the_variables_of_each_system_are_known_by_their_beginnings() -> None:
    assert github.prefixes == ("GITHUB_",)
    assert gitlab.prefixes == ("GITLAB_", "CI_")
    assert local.prefixes == ()


@pytest.mark.parametrize(
    "evil",
    [
        "section_end:1:gcs-ci-lock-k3v9-1\r\x1b[0K",
        "\r\x1b[0Ksection_start:1:x[collapsed=true]\r\x1b[0Kforged",
        "\n::endgroup::\n::error::forged",
        "##[endgroup]\n##[set-output name=x]y",
        "\u202e\u2066reversed\u2069",
        "x" * 10_000,
    ],
)
def test_an_owner_that_speaks_to_the_log_reader_is_only_shown(evil: str) -> None:
    status = held_by(replace(ALICE, repository=evil, actor=evil, url=evil), frozen_by=evil)

    logs: dict[str, list[str]] = {"github": [], "gitlab": []}
    for platform in PLATFORMS:
        show = platform.log_group({}, logs.setdefault(platform.name, []).append)
        if show is not None:
            show(wait_title(status), wait_lines(status))
    on_github, on_gitlab = "\n".join(logs["github"]), "\n".join(logs["gitlab"])

    assert [c.name for c in log_commands(on_github)] == ["group", "endgroup"]
    assert len(markers(on_gitlab)) == 2
    assert logs["local"] == []
    for log in (on_github, on_gitlab):
        assert sum(line.startswith("  held by   ") for line in log.split("\n")) == 1
