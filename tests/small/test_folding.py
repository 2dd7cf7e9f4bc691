"""A wait folded away in a CI system's log: one title, its lines, and no foreign command."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gcs_ci_lock.platforms.github import GitHubStep
from gcs_ci_lock.platforms.gitlab import LogSections
from gcs_ci_lock.protocol.record import Freeze, Owner
from gcs_ci_lock.protocol.wait_status import WaitStatus
from gcs_ci_lock.report.messages import wait_lines, wait_title
from tests.support.gitlab import Marker, markers, without_markers
from tests.support.runner import log_commands
from tests.support.samples import ALICE, HOLDER, NOW, RECORD, SITUATION
from tests.support.strategies import HOSTILE, owners


def held_by(owner: Owner, *, frozen_by: str = "") -> WaitStatus:
    freeze = Freeze(reason=owner.reason, author=frozen_by, since=NOW - 60, until=None)
    record = replace(
        RECORD,
        holders=(replace(HOLDER, owner=owner),),
        frozen=freeze if frozen_by else None,
    )
    return replace(SITUATION, record=record, trouble=owner.reason)


def on_github(status: WaitStatus) -> str:
    log: list[str] = []
    step = GitHubStep({}, write=log.append, delimiter=str)
    step.group(wait_title(status), wait_lines(status))
    return "\n".join(log) + "\n"


def on_gitlab(*situations: WaitStatus) -> str:
    log: list[str] = []
    sections = LogSections(log.append, now=lambda: NOW, mark="k3v9")
    for status in situations:
        sections.show(wait_title(status), wait_lines(status))
    return "\n".join(log) + "\n"


@pytest.mark.example
def test_on_github_the_lines_are_in_a_group() -> None:
    assert on_github(SITUATION).splitlines() == [
        f"::group::{wait_title(SITUATION)}",
        *wait_lines(SITUATION),
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


@pytest.mark.example
def test_on_gitlab_the_lines_are_in_a_collapsed_section() -> None:
    clear, at = "\x1b[0K", int(NOW)

    assert on_gitlab(SITUATION).split("\n") == [
        (
            f"{clear}section_start:{at}:gcs-ci-lock-k3v9-1[collapsed=true]\r"
            f"{clear}{wait_title(SITUATION)}"
        ),
        *wait_lines(SITUATION),
        f"{clear}section_end:{at}:gcs-ci-lock-k3v9-1\r{clear}",
        "",
    ]


@pytest.mark.example
def test_every_section_has_a_name_of_its_own() -> None:
    found = markers(on_gitlab(SITUATION, SITUATION))

    names = [marker.name for marker in found]
    assert [marker.kind for marker in found] == ["start", "end", "start", "end"]
    assert names[0] == names[1]
    assert names[2] == names[3]
    assert names[0] != names[2]


@pytest.mark.property
@given(owners(HOSTILE), HOSTILE)
def test_a_section_has_one_start_and_one_end_whatever_the_owners_say(
    owner: Owner, text: str
) -> None:
    status = held_by(owner, frozen_by=text)

    log = on_gitlab(status)

    name = "gcs-ci-lock-k3v9-1"
    assert markers(log) == [Marker("start", name, "[collapsed=true]"), Marker("end", name, "")]
    assert log.count("section_start:") == log.count("section_end:") == 1
    assert "\n  held by   " in log
    read = without_markers(log)
    assert read.isascii()
    assert read.replace("\n", "").isprintable()
    assert log_commands(read) == []


@pytest.mark.example
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

    github, gitlab = on_github(status), on_gitlab(status)

    assert [c.name for c in log_commands(github)] == ["group", "endgroup"]
    assert len(markers(gitlab)) == 2
    for log in (github, gitlab):
        assert sum(line.startswith("  held by   ") for line in log.split("\n")) == 1


@pytest.mark.property
@given(st.lists(st.sampled_from([*"section_:rtend \r\x1b[0K1x"]), max_size=40).map("".join))
def test_no_marker_is_made_of_pieces(text: str) -> None:
    assert len(markers(on_gitlab(held_by(replace(ALICE, reason=text))))) == 2


@pytest.mark.example
def test_the_reader_of_markers_finds_a_foreign_one_anywhere_in_a_line() -> None:
    log = "  held by   x section_end:1:other\r\x1b[0K"

    assert markers(log) == [Marker("end", "other", "")]


@pytest.mark.example
def test_words_are_not_markers() -> None:
    for piece in itertools.permutations(["section_start", ":1:", "x"]):
        assert markers("".join(piece)) == []
