"""What people read: who holds, what their position is, what to do; never a foreign command."""

import io
from dataclasses import replace

import pytest
from hypothesis import given
from rich.console import Console

from gcs_ci_lock.locking.lease import removed_from_record
from gcs_ci_lock.locking.outcome import Obsolete
from gcs_ci_lock.protocol.obsolete import Outdated, Superseded
from gcs_ci_lock.protocol.queue import QueuePosition
from gcs_ci_lock.protocol.record import Freeze, Outcome, Owner
from gcs_ci_lock.protocol.text import MAX_FOREIGN
from gcs_ci_lock.protocol.transitions import NotHeld
from gcs_ci_lock.protocol.wait_status import WaitStatus
from gcs_ci_lock.report.messages import (
    acquired_line,
    lease_lost,
    obsolete_line,
    released_line,
    timeout_lines,
    took_over_line,
    wait_lines,
    wait_rows,
    wait_title,
)
from gcs_ci_lock.report.status import status_lines
from gcs_ci_lock.report.wait_live import picture
from tests.support.runner import log_commands
from tests.support.samples import ENDED, HOLDER, LOCK_STATUS, NOW, RECORD, TICKET, WAIT_STATUS
from tests.support.strategies import HOSTILE, OWNERS, TEXTS, owners


@pytest.mark.example
def test_a_waiter_sees_who_holds_since_when_and_its_place() -> None:
    assert wait_lines(WAIT_STATUS) == [
        'Waiting for lock "prod" (gs://acme-locks/locks/prod)',
        "  held by   acme/api > deploy > prod (alice)  https://github.com/acme/api/actions/runs/8123",
        (
            "            since 14:02:11Z (6m04s), renewed 9s ago, expires in 1m51s if not renewed, "
            'token 41, reason: "release 4.2"'
        ),
        "  you are   2nd of 3 in the queue, about 9m to go (a job typically holds it for 4m30s)",
        "  waited    1m00s of 30m00s",
    ]


@pytest.mark.example
def test_a_waiter_before_whom_only_waiters_stand_is_told_so() -> None:
    free = replace(WAIT_STATUS, record=replace(RECORD, holders=()))

    lines = wait_lines(free)

    assert "  free      but acme/api > deploy > prod (bob) is ahead of you in the queue" in lines


@pytest.mark.example
def test_a_waiter_is_told_what_it_holds_meanwhile() -> None:
    status = replace(WAIT_STATUS, also_holding=("acme/db", "acme/site"))

    assert "  you hold  acme/db, acme/site" in wait_lines(status)
    assert "acme/db, acme/site" in drawn(status)


@pytest.mark.example
@pytest.mark.parametrize(("present", "full"), [(11, False), (12, True), (20, False)])
def test_a_lock_that_is_full_of_renewals_says_so(present: int, *, full: bool) -> None:
    holders = tuple(replace(HOLDER, lease=f"k{n}", slots=20) for n in range(present))
    crowd = replace(WAIT_STATUS, record=replace(RECORD, holders=holders), slots=20)
    text = (
        "at most 12 jobs can hold it together with a ttl of 2m00s, because storage limits writes "
        "per object: a longer ttl allows more"
    )

    assert (f"  full      {text}" in wait_lines(crowd)) is full
    assert ("at most 12 jobs" in drawn(crowd)) is full


def drawn(status: WaitStatus) -> str:
    stream = io.StringIO()
    Console(file=stream, width=160).print(picture(status))
    return stream.getvalue()


@pytest.mark.example
def test_a_freeze_and_trouble_are_told() -> None:
    freeze = Freeze(reason="release week", author="carol", since=NOW - 9, until=NOW + 86_400)
    frozen = replace(WAIT_STATUS, record=replace(RECORD, frozen=freeze), trouble="no answer")

    text = "\n".join(wait_lines(frozen))

    told = 'by carol since 14:08:06Z, until 2026-11-24 14:08:15Z, reason: "release week"'
    assert f"frozen    {told}" in text
    assert "problem   no answer; retrying" in text


@pytest.mark.example
def test_a_timeout_names_the_holder_and_what_to_do() -> None:
    text = "\n".join(timeout_lines(replace(WAIT_STATUS, budget=0.0)))

    assert text.startswith(
        'lock "prod" (gs://acme-locks/locks/prod) is not free (waiting is off: wait is 0)\n'
    )
    assert "acme/api > deploy > prod (alice)" in text
    assert "--wait, or the input `wait`" in text


@pytest.mark.example
def test_a_lock_that_is_free_but_not_acquired_without_a_wait_says_why() -> None:
    free = replace(WAIT_STATUS, record=replace(RECORD, holders=()), budget=0.0)

    lines = timeout_lines(free)

    assert "is free, but others may be waiting for it (waiting is off: wait is 0)" in lines[0]
    assert lines[1:] == [
        "  free      but acme/api > deploy > prod (bob) is ahead of you in the queue",
        "  next      try again later, or wait longer: --wait, or the input `wait`",
    ]


@pytest.mark.example
def test_a_timeout_after_a_wait_says_how_long_it_was() -> None:
    assert timeout_lines(WAIT_STATUS)[0] == (
        'could not acquire lock "prod" (gs://acme-locks/locks/prod) within 30m00s'
    )


@pytest.mark.example
def test_the_log_and_the_drawing_show_the_same_facts_in_the_same_order() -> None:
    freeze = Freeze(reason="r", author="carol", since=NOW - 9, until=None)
    status = replace(
        WAIT_STATUS,
        record=replace(RECORD, holders=(HOLDER,) * 5, frozen=freeze),
        also_holding=("db",),
        trouble="no answer",
    )
    labels = [row.label for row in wait_rows(status, most_holders=2)]

    in_log = [line[2:12].strip() for line in wait_lines(status) if line[2] != " "][1:]
    in_drawing = [
        label
        for line in drawn(status).splitlines()
        if (label := line[2:10].strip()) in {*labels} - {""}
    ]

    assert labels == [
        *("frozen", "held by", "held by", "", "you hold", "you are", "waited", "problem"),
    ]
    assert in_log == ["frozen", *["held by"] * 5, "you hold", "you are", "waited", "problem"]
    assert in_drawing == ["frozen", *["held by"] * 3, "you hold", "you are", "waited", "problem"]


@pytest.mark.example
@pytest.mark.parametrize(
    ("why", "text"),
    [
        (
            Outdated(sequence=7, granted=9),
            (
                'did not acquire lock "prod" after 5s: outdated, sequence 9 was already granted '
                "and this job has 7. Re-run the newest job instead"
            ),
        ),
        (
            Superseded(by="k3v9"),
            (
                'did not acquire lock "prod" after 5s: superseded by a newer run of the same job, '
                "which takes its place"
            ),
        ),
    ],
    ids=["outdated", "superseded"],
)
def test_an_obsolete_job_is_told_why(why: Outdated | Superseded, text: str) -> None:
    assert obsolete_line("prod", Obsolete(waited=5.0, why=why)) == text


@pytest.mark.example
@pytest.mark.parametrize(
    ("outcome", "text"),
    [
        ("expired", "Took over from a holder whose lease expired (token 40)"),
        ("evicted", "Took over from a holder whose job is over (token 40): by hand"),
    ],
)
def test_a_takeover_says_from_whom(outcome: Outcome, text: str) -> None:
    assert took_over_line(replace(ENDED, outcome=outcome)) == text


@pytest.mark.example
def test_an_acquisition_and_a_release_name_the_fencing_token() -> None:
    renewal = "renewed every 20s by this process"

    assert acquired_line("prod", 5.0, 41, renewal) == (
        'Acquired lock "prod" after 5s: fencing token 41, renewed every 20s by this process'
    )
    assert released_line("prod", 41) == 'Released lock "prod" (fencing token 41)'
    assert released_line("prod", 0) == 'Released lock "prod"'


@pytest.mark.example
def test_many_holders_never_fill_a_screen() -> None:
    holders = tuple(replace(HOLDER, lease=f"k{n}", token=n + 1) for n in range(60))
    crowd = replace(RECORD, fence=60, holders=holders)
    waiters = (TICKET,) * 60

    waiting = wait_lines(replace(WAIT_STATUS, record=crowd))
    status = status_lines(replace(LOCK_STATUS, record=crowd, waiters=waiters))

    assert len(waiting) < 20
    assert any("and 55 more" in line for line in waiting)
    assert len(status) < 24
    assert any("and 52 more" in line for line in status)


@pytest.mark.property
@given(OWNERS, TEXTS)
def test_no_owner_and_no_reason_speaks_to_a_runner(owner: Owner, text: str) -> None:
    evil = replace(owner, reason=text)
    freeze = Freeze(reason=text, author=text, since=0.0, until=None)
    record = replace(
        RECORD,
        holders=(replace(HOLDER, owner=evil),),
        history=(replace(ENDED, owner=evil, note=text),),
        frozen=freeze,
    )
    waiter = replace(TICKET, owner=evil)
    position = QueuePosition(ahead=(waiter,), settle_time=1.0, fits_holders=False)
    status = replace(WAIT_STATUS, record=record, position=position, trouble=text)

    lines = [
        *wait_lines(status),
        *wait_lines(replace(status, record=replace(record, holders=(), frozen=None))),
        *timeout_lines(status),
        *status_lines(replace(LOCK_STATUS, record=record, waiters=(waiter,))),
    ]

    assert all(line.isascii() and line.isprintable() for line in lines)
    assert log_commands("\n".join(lines)) == []


@pytest.mark.example
def test_a_loss_says_how_and_what_to_do() -> None:
    evicted = replace(ENDED, outcome="evicted", ended_at=NOW - 364, note="stuck deploy")

    lost = removed_from_record(40, NotHeld(ended=evicted, holders=(HOLDER,)))

    assert str(lease_lost("prod", lost)).split("\n") == [
        (
            'lease on lock "prod" lost: token 40 was evicted at 14:02:11Z ("stuck deploy"). '
            "The lock is now held by acme/api > deploy > prod (alice) (token 41)."
        ),
        "Stop this job: another one may be running. See: gcs-ci-lock status prod",
    ]


def held_by(owner: Owner, *, frozen_by: str = "") -> WaitStatus:
    freeze = Freeze(reason=owner.reason, author=frozen_by, since=NOW - 60, until=None)
    record = replace(
        RECORD,
        holders=(replace(HOLDER, owner=owner),),
        frozen=freeze if frozen_by else None,
    )
    return replace(WAIT_STATUS, record=record, trouble=owner.reason)


@pytest.mark.example
def test_a_title_says_who_holds_and_how_long_it_may_take() -> None:
    assert wait_title(WAIT_STATUS) == (
        'Waiting for lock "prod": held by acme/api > deploy > prod (alice), 2nd of 3, '
        "about 9m to go, waited 1m00s of 30m00s"
    )


@pytest.mark.example
@pytest.mark.parametrize(
    ("holders", "told"),
    [
        (0, "free, waiting for your turn"),
        (1, "held by acme/api > deploy > prod (alice), 2nd"),
        (2, "held by acme/api > deploy > prod (alice) and 1 more, 2nd"),
        (3, "held by acme/api > deploy > prod (alice) and 2 more, 2nd"),
    ],
)
def test_a_title_names_the_first_holder_and_counts_the_others(holders: int, told: str) -> None:
    status = replace(WAIT_STATUS, record=replace(RECORD, holders=(HOLDER,) * holders))

    assert f": {told}" in wait_title(status)


@pytest.mark.example
@pytest.mark.parametrize(("until", "told"), [(NOW + 60, "14:09:15Z"), (None, "unfrozen")])
def test_a_title_of_a_frozen_lock_says_by_whom_and_until_when(
    until: float | None, told: str
) -> None:
    freeze = Freeze(reason="release week", author="carol", since=NOW - 9, until=until)
    status = replace(WAIT_STATUS, record=replace(RECORD, frozen=freeze), position=None)

    assert wait_title(status) == (
        f'Waiting for lock "prod": frozen by carol until {told}, waited 1m00s of 30m00s'
    )


@pytest.mark.property
@given(owners(HOSTILE), HOSTILE)
def test_a_title_is_told_whole_whatever_is_in_it(owner: Owner, text: str) -> None:
    crowd = QueuePosition(ahead=(TICKET,) * 998, settle_time=1.0, fits_holders=False)
    worst = replace(held_by(owner, frozen_by=text), name="n" * 500, position=crowd, waiters=999)
    held = replace(worst, record=replace(worst.record, frozen=None))

    for title in (wait_title(worst), wait_title(held)):
        assert len(title) <= MAX_FOREIGN
        assert title.startswith("Waiting for lock")
        assert title.endswith("waited 1m00s of 30m00s")
