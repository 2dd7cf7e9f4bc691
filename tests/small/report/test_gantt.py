"""The picture in the step summary: what it shows, and that Mermaid reads it whoever is in it."""

from dataclasses import replace

import pytest
from hypothesis import given

from gcs_ci_lock.protocol.record import Outcome, Owner, Record
from gcs_ci_lock.report.gantt import gantt
from tests.support.mermaid import Task, gantt_tasks, mermaid_fences
from tests.support.samples import ENDED, HOLDER, NOW, RECORD
from tests.support.strategies import HOSTILE, owners, records


def tasks(record: Record) -> list[Task]:
    (chart,) = mermaid_fences(gantt("prod", record, NOW))
    return gantt_tasks(chart)


@pytest.mark.example
def test_the_picture_shows_what_was_and_what_is() -> None:
    assert gantt("prod", RECORD, NOW).split("\n") == [
        "",
        "Recent holders of lock `prod` (times in your time zone):",
        "",
        "```mermaid",
        "gantt",
        "    dateFormat x",
        "    axisFormat %H:%M:%S",
        "    todayMarker off",
        "    section ended",
        "    40 acme/api - deploy - prod (alice) :done, 1795440995000, 1795441265000",
        "    section holding",
        "    41 acme/api - deploy - prod (alice) :active, 1795442531000, 1795442895000",
        "```",
        "",
    ]


@pytest.mark.example
def test_nothing_is_drawn_of_a_lock_that_nobody_ever_had() -> None:
    assert gantt("prod", Record(name="prod", fence=0), NOW) == ""


@pytest.mark.example
def test_a_section_is_left_out_where_nothing_is_in_it() -> None:
    before = gantt("prod", replace(RECORD, holders=()), NOW)
    now = gantt("prod", replace(RECORD, history=()), NOW)

    assert "section holding" not in before
    assert "section ended" not in now
    assert "section holding" in now


@pytest.mark.example
@pytest.mark.parametrize(
    ("outcome", "look"), [("released", "done"), ("expired", "crit"), ("evicted", "crit")]
)
def test_a_hold_that_went_wrong_is_seen(outcome: Outcome, look: str) -> None:
    (task,) = tasks(replace(RECORD, holders=(), history=(replace(ENDED, outcome=outcome),)))

    assert task.look == look


@pytest.mark.example
@pytest.mark.parametrize(("holds", "shown"), [(9, 9), (10, 10), (11, 10), (50, 10)])
def test_the_last_ten_holds_are_shown_oldest_first(holds: int, shown: int) -> None:
    history = tuple(replace(ENDED, token=n) for n in range(holds))

    drawn = tasks(replace(RECORD, holders=(), history=history))

    labels = [int(task.label.split()[0]) for task in drawn]
    assert labels == list(range(holds))[-shown:]


@pytest.mark.example
@pytest.mark.parametrize(
    ("held", "drawn"), [(-5.0, 1000), (0.0, 1000), (0.999, 1000), (1.0, 1000), (1.5, 1500)]
)
def test_every_bar_is_long_enough_to_be_seen(held: float, drawn: int) -> None:
    ended = replace(ENDED, ended_at=ENDED.granted_at + held)
    holder = replace(HOLDER, granted_at=NOW - held)

    found = tasks(replace(RECORD, holders=(holder,), history=(ended,)))

    assert [task.end - task.begin for task in found] == [drawn, drawn]


@pytest.mark.example
@pytest.mark.parametrize(
    "text",
    [
        "section evil",
        "x\n    section evil",
        "x :crit, 0, 1",
        "x;y#z%w,v",
        "```\n# evil",
        "%%{init: {}}%%",
        "click 41 href https://evil.example",
        "\u202e\u2066",
        "x" * 10_000,
    ],
)
def test_an_owner_draws_nothing(text: str) -> None:
    evil = replace(HOLDER, owner=Owner(repository=text, actor=text))

    (task,) = tasks(replace(RECORD, holders=(evil,), history=()))

    assert task.label.startswith("41 ")
    assert len(task.label) <= 60
    assert (task.section, task.look) == ("holding", "active")


@pytest.mark.property
@given(owners(HOSTILE), records())
def test_mermaid_reads_the_picture_whoever_is_in_it(owner: Owner, record: Record) -> None:
    evil = replace(
        record,
        holders=tuple(replace(holder, owner=owner) for holder in record.holders),
        history=(*record.history, replace(ENDED, owner=owner)),
    )

    found = tasks(evil)

    tokens = [*(e.token for e in evil.history), *(h.token for h in evil.holders)]
    assert [int(task.label.split()[0]) for task in found] == tokens


@pytest.mark.example
@pytest.mark.parametrize(
    "line",
    [
        "section x : y",
        "title x :done, 1, 2",
        "Section x",
        "2026-11-23 x :done, 1, 2",
        "41 x",
        "41 x :done, 1",
        "41 x :done, 2, 2",
        "41 x :done, 1, 2; x",
        "41 x; y :done, 1, 2",
        "%% x :done, 1, 2",
        "41 x :late, 1, 2",
        "41 x :done, 1, 2, 3",
        "41 x :done, -1, 2",
        "",
    ],
)
def test_the_port_of_mermaids_reader_refuses_what_it_should(line: str) -> None:
    chart = "gantt\n    dateFormat x\n    axisFormat %H:%M:%S\n    todayMarker off\n    "

    assert gantt_tasks(f"{chart}41 x :done, 1, 2") == [Task("", "41 x", "done", 1, 2)]
    with pytest.raises(ValueError, match="bar"):
        gantt_tasks(chart + line)


@pytest.mark.example
def test_a_fence_that_an_owner_closes_would_be_noticed() -> None:
    assert mermaid_fences("```mermaid\na\n```\nb\n```\n```") == ["a"]
    with pytest.raises(ValueError, match="fence"):
        mermaid_fences("```mermaid\na\n")
