"""What is written for GitLab's log reader, and what is read of a job's variables."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gcs_ci_lock.platforms import gitlab
from gcs_ci_lock.platforms.gitlab import LogSections
from gcs_ci_lock.protocol.record import Owner
from gcs_ci_lock.protocol.wait_status import WaitStatus
from gcs_ci_lock.report.messages import wait_lines, wait_title
from tests.support.gitlab import Marker, markers, without_markers
from tests.support.runner import log_commands
from tests.support.samples import ALICE, NOW, WAIT_STATUS, held_by
from tests.support.strategies import HOSTILE, owners


def on_gitlab(*situations: WaitStatus) -> str:
    log: list[str] = []
    sections = LogSections(log.append, now=lambda: NOW, unique="k3v9")
    for status in situations:
        sections.show(wait_title(status), wait_lines(status))
    return "\n".join(log) + "\n"


@pytest.mark.example
def test_on_gitlab_the_lines_are_in_a_collapsed_section() -> None:
    clear, at = "\x1b[0K", int(NOW)

    assert on_gitlab(WAIT_STATUS).split("\n") == [
        (
            f"{clear}section_start:{at}:gcs-ci-lock-k3v9-1[collapsed=true]\r"
            f"{clear}{wait_title(WAIT_STATUS)}"
        ),
        *wait_lines(WAIT_STATUS),
        f"{clear}section_end:{at}:gcs-ci-lock-k3v9-1\r{clear}",
        "",
    ]


@pytest.mark.example
def test_every_section_has_a_name_of_its_own() -> None:
    found = markers(on_gitlab(WAIT_STATUS, WAIT_STATUS))

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


@pytest.mark.example
def test_the_owner_is_the_job_with_its_page() -> None:
    found = gitlab.owner(
        {
            "CI_PROJECT_PATH": "acme/infra/api",
            "CI_JOB_ID": "991",
            "CI_JOB_NAME": "deploy",
            "CI_JOB_URL": "https://gitlab.acme.test/acme/infra/api/-/jobs/991",
            "CI_PIPELINE_SOURCE": "push",
            "GITLAB_USER_LOGIN": "alice",
        }
    )

    assert found == Owner(
        platform="gitlab",
        repository="acme/infra/api",
        workflow="push",
        job="deploy",
        run_id="991",
        url="https://gitlab.acme.test/acme/infra/api/-/jobs/991",
        actor="alice",
    )


@pytest.mark.example
def test_the_sections_of_two_processes_of_a_job_have_different_names() -> None:
    log: list[str] = []

    for _ in range(2):
        show = gitlab.log_group({}, log.append)
        show("title", ["line"])

    assert len({marker.name for marker in markers("\n".join(log))}) == 2
