"""The dry run's verdict and its picture."""

from dataclasses import replace

import pytest

from gcs_ci_lock.dry_run.timeline import WIDTH, JobRun, Verdict, judge, picture

pytestmark = pytest.mark.example


def position(
    entered: float | None,
    left: float | None,
    token: int | None = None,
    *,
    job: str = "job-1",
    started: float = 0.0,
) -> JobRun:
    return JobRun(
        job=job, outcome="acquired", token=token, started=started, entered=entered, left=left
    )


def test_jobs_that_take_turns_are_serialised() -> None:
    verdict = judge([position(1, 2, 7), position(3, 4, 9), position(2.5, 3, 8)])

    assert verdict == Verdict(overlaps=0, verdict="serialised")
    assert verdict.good


def test_one_that_enters_the_moment_another_leaves_does_not_overlap() -> None:
    verdict = judge([position(1, 2, 7), position(2, 3, 8)])

    assert verdict.good


@pytest.mark.parametrize(
    ("turns", "overlaps"),
    [
        ([position(1, 3, 7), position(2, 4, 8)], 1),
        ([position(2, 4, 8), position(1, 3, 7)], 1),
        ([position(1, 9, 7), position(2, 3, 8), position(4, 5, 9)], 2),
        ([position(1, 9, 7), position(2, 8, 8), position(3, 7, 9)], 3),
        ([position(1, 2, 7), position(1, 2, 8)], 1),
    ],
    ids=["two", "in any order", "one over two", "each over each", "at the same time"],
)
def test_every_pair_that_was_inside_together_is_counted(turns: list[JobRun], overlaps: int) -> None:
    verdict = judge(turns)

    assert verdict == Verdict(overlaps=overlaps, verdict="overlapped")
    assert not verdict.good


@pytest.mark.parametrize("later", [7, 6, None], ids=["same", "lower", "none"])
def test_a_token_that_does_not_rise_is_found(later: int | None) -> None:
    verdict = judge([position(1, 2, 7), position(3, 4, later)])

    assert verdict == Verdict(overlaps=0, verdict="tokens fell")
    assert not verdict.good


@pytest.mark.parametrize(
    "missing",
    [position(None, None), position(3, None, 8)],
    ids=["never inside", "never left"],
)
def test_a_job_that_did_not_come_to_its_end_makes_the_run_incomplete(missing: JobRun) -> None:
    verdict = judge([position(1, 2, 7), missing])

    assert verdict == Verdict(overlaps=0, verdict="incomplete")
    assert not verdict.good


def test_a_job_inside_while_one_never_left_is_an_overlap() -> None:
    verdict = judge([replace(position(1, None, 7), outcome="running"), position(2, 3, 8)])

    assert verdict == Verdict(overlaps=1, verdict="overlapped")


def test_a_job_that_was_killed_inside_is_no_overlap_and_no_success() -> None:
    verdict = judge([position(1, None, 7), position(3, 4, 8)])

    assert verdict == Verdict(overlaps=0, verdict="incomplete")


def test_an_overlap_is_told_before_a_missing_job() -> None:
    verdict = judge([position(1, 3, 7), position(2, 4, 8), position(None, None)])

    assert verdict == Verdict(overlaps=1, verdict="overlapped")


def test_no_job_at_all_has_no_picture() -> None:
    assert picture([], now=5) == []


def test_no_job_at_all_has_no_overlap() -> None:
    assert judge([]).overlaps == 0


def test_the_picture_shows_who_waited_and_who_was_inside() -> None:
    first = position(0, 6, 7, job="job-1")
    second = position(6, 12, 8, job="job-2")

    lines = picture([first, second], now=12)

    assert lines == [
        f"job-1    |{'#' * 24}{' ' * 24}| acquired token 7",
        f"job-2    |{'.' * 24}{'#' * 24}| acquired token 8",
    ]


def test_a_job_that_still_waits_has_dots_up_to_the_edge() -> None:
    (line,) = picture([position(None, None)], now=3)

    assert line == f"job-1    |{'.' * WIDTH}| acquired"


@pytest.mark.parametrize(
    ("one", "now"),
    [
        (position(0, 0), 0),
        (position(5, 5, 7), 5),
        (position(5, 50, 7), 10),
        (position(5, None, 7), 1),
        (position(None, None, started=9), 1),
        (position(1e9, 2e9, 10**15, started=1e9), 1e-9),
        (position(3, 4, 7, started=2), 1e12),
    ],
    ids=["nothing", "at the edge", "beyond", "no end", "late", "huge", "tiny"],
)
def test_the_picture_is_never_wider_than_its_width(one: JobRun, now: float) -> None:
    lines = picture([one, position(1, 2, 6, started=0)], now=now)

    bars = [line.split("|")[1] for line in lines]
    assert [len(bar) for bar in bars] == [WIDTH, WIDTH]
    assert all(set(bar) <= set(" .#") for bar in bars)


def test_a_stay_too_short_for_the_scale_is_still_to_be_seen() -> None:
    lines = picture([position(10, 10.001, 7), position(50, 50, 8)], now=100)

    assert [line.split("|")[1].count("#") for line in lines] == [1, 1]


def test_a_stay_that_has_just_begun_is_to_be_seen_too() -> None:
    (line,) = picture([position(100, None, 7)], now=100)

    assert line.split("|")[1].count("#") == 1
