"""What people are told: who holds, where they stand, what to do; and never a foreign command."""

import io
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from gcs_ci_lock.locking.lease import removed_from_record
from gcs_ci_lock.protocol.queue import QueuePosition
from gcs_ci_lock.protocol.record import Freeze, Owner, Record
from gcs_ci_lock.protocol.transitions import NotHeld
from gcs_ci_lock.protocol.wait_status import WaitStatus
from gcs_ci_lock.report.format import clock_time, iso_time, link, ordinal, who
from gcs_ci_lock.report.markdown import owner_cell
from gcs_ci_lock.report.messages import lease_lost, timeout_lines, wait_lines
from gcs_ci_lock.report.status import status_json, status_lines
from gcs_ci_lock.report.wait_live import picture
from gcs_ci_lock.report.wait_log import WaitLog, print_lines
from tests.support.fakes import FakeClock
from tests.support.runner import log_commands
from tests.support.samples import ALICE, ENDED, HOLDER, NOW, RECORD, SITUATION, STATUS, TICKET
from tests.support.strategies import OWNERS, TEXTS


@pytest.mark.example
def test_a_waiter_sees_who_holds_since_when_and_its_place() -> None:
    assert wait_lines(SITUATION) == [
        'Waiting for lock "prod" (gs://acme-locks/locks/prod)',
        "  held by   acme/api > deploy > prod (alice)  https://github.com/acme/api/actions/runs/8123",
        (
            "            since 14:02:11Z (6m04s), renewed 9s ago, expires in 1m51s if not renewed, "
            'token 41, reason: "release 4.2"'
        ),
        (
            "  you are   2nd of 3, about 9m to go (holds take 4m30s on average), "
            "waited 1m00s of 30m00s"
        ),
    ]


@pytest.mark.example
def test_a_waiter_before_whom_only_waiters_stand_is_told_so() -> None:
    free = replace(SITUATION, record=replace(RECORD, holders=()))

    lines = wait_lines(free)

    assert "  free, but acme/api > deploy > prod (bob) stands before you" in lines


@pytest.mark.example
def test_a_waiter_is_told_what_it_holds_meanwhile() -> None:
    lines = wait_lines(replace(SITUATION, also_holding=("acme/db", "acme/site")))

    assert "  you hold  acme/db, acme/site" in lines
    assert "acme/db, acme/site" in drawn(replace(SITUATION, also_holding=("acme/db", "acme/site")))


@pytest.mark.example
@pytest.mark.parametrize(("present", "full"), [(11, False), (12, True), (20, False)])
def test_a_lock_that_is_full_of_renewals_says_so(present: int, *, full: bool) -> None:
    holders = tuple(replace(HOLDER, lease=f"k{n}", slots=20) for n in range(present))
    crowd = replace(SITUATION, record=replace(RECORD, holders=holders), slots=20)
    text = (
        "renewed every 20s, 12 at once is the most that one object takes: a longer ttl lets more in"
    )

    assert (f"  full      {text}" in wait_lines(crowd)) is full
    assert ("12 at once" in drawn(crowd)) is full


def drawn(status: WaitStatus) -> str:
    stream = io.StringIO()
    Console(file=stream, width=160).print(picture(status))
    return stream.getvalue()


@pytest.mark.example
def test_a_freeze_and_trouble_are_told() -> None:
    freeze = Freeze(reason="release week", author="carol", since=NOW - 9, until=NOW + 86_400)
    frozen = replace(SITUATION, record=replace(RECORD, frozen=freeze), trouble="no answer")

    text = "\n".join(wait_lines(frozen))

    told = 'by carol since 14:08:06Z, until 2026-11-24 14:08:15Z, reason: "release week"'
    assert f"frozen    {told}" in text
    assert "trouble   no answer; trying again" in text


@pytest.mark.example
@pytest.mark.parametrize(
    ("until", "told"), [(NOW + 60, "until 14:09:15Z"), (None, "until unfrozen")]
)
def test_the_state_of_a_frozen_lock_says_who_froze_it_and_how_long(
    until: float | None, told: str
) -> None:
    freeze = Freeze(reason="release week", author="carol", since=NOW - 90_000, until=until)

    lines = status_lines(replace(STATUS, record=replace(RECORD, frozen=freeze)))

    since = "since 2026-11-22 13:08:15Z"
    assert lines[1] == f'  frozen    by carol {since}, {told}, reason: "release week"'


@pytest.mark.example
def test_a_timeout_names_the_holder_and_what_to_do() -> None:
    text = "\n".join(timeout_lines(replace(SITUATION, budget=0.0)))

    assert 'lock "prod" (gs://acme-locks/locks/prod) was not to be had at once' in text
    assert "acme/api > deploy > prod (alice)" in text
    assert "--wait, or the input `wait`" in text


@pytest.mark.example
def test_many_holders_never_fill_a_screen() -> None:
    holders = tuple(replace(HOLDER, lease=f"k{n}", token=n + 1) for n in range(60))
    crowd = replace(RECORD, fence=60, holders=holders)
    waiters = (TICKET,) * 60

    waiting = wait_lines(replace(SITUATION, record=crowd))
    status = status_lines(replace(STATUS, record=crowd, waiters=waiters))

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
    status = replace(SITUATION, record=record, position=position, trouble=text)

    lines = [
        *wait_lines(status),
        *wait_lines(replace(status, record=replace(record, holders=(), frozen=None))),
        *timeout_lines(status),
        *status_lines(replace(STATUS, record=record, waiters=(waiter,))),
    ]

    assert all(line.isascii() and line.isprintable() for line in lines)
    assert log_commands("\n".join(lines)) == []


@pytest.mark.example
def test_the_state_of_a_lock_is_told_on_a_screen() -> None:
    assert status_lines(STATUS) == [
        'Lock "prod" (gs://acme-locks/locks/prod) is held',
        (
            "  held by   acme/api > deploy > prod (alice)  "
            "https://github.com/acme/api/actions/runs/8123, since 14:02:11Z (6m04s), "
            'until 14:10:06Z if not renewed, token 41, slots 1, reason: "release 4.2"'
        ),
        (
            "  waiting   1st: acme/api > deploy > prod (bob)  "
            "https://github.com/acme/api/actions/runs/8123, for 1m10s, slots unlimited"
        ),
        (
            "  before    acme/api > deploy > prod (alice): released at 13:41:05Z after 4m30s, "
            'token 40 ("by hand")'
        ),
    ]


@pytest.mark.example
def test_the_state_of_a_lock_is_data_too() -> None:
    document = status_json(STATUS)

    assert document["state"] == "held"
    assert document["holders"][0]["token"] == 41
    assert document["holders"][0]["held_s"] == 364
    assert document["waiters"][0]["place"] == 1
    assert document["waiters"][0]["slots"] == "unlimited"
    assert document["history"][0]["outcome"] == "released"


@pytest.mark.example
def test_a_free_lock_is_free() -> None:
    free = replace(STATUS, record=Record(name="prod", fence=1), waiters=())

    assert status_lines(free) == ['Lock "prod" (gs://acme-locks/locks/prod) is free']
    assert status_json(free)["state"] == "free"


@pytest.mark.example
def test_a_loss_says_how_and_what_to_do() -> None:
    evicted = replace(ENDED, outcome="evicted", ended_at=NOW - 364, note="stuck deploy")

    lost = removed_from_record(40, NotHeld(ended=evicted, holders=(HOLDER,)))

    assert str(lease_lost("prod", lost)).split("\n") == [
        (
            'lock "prod" is not ours any more: token 40 was evicted at 14:02:11Z ("stuck deploy"); '
            "it is held by acme/api > deploy > prod (alice) (token 41) now."
        ),
        "Stop this job; another may be running. See: gcs-ci-lock status prod",
    ]


@pytest.mark.example
@pytest.mark.parametrize(
    ("owner", "text"),
    [
        (ALICE, "acme/api > deploy > prod (alice)"),
        (Owner(platform="local", actor="alice", runner="laptop"), "alice on laptop"),
        (Owner(platform="local"), "somebody on some machine"),
        (Owner(platform="gitlab"), "gitlab"),
        (Owner(), "somebody"),
        (Owner(actor="bob"), "somebody (bob)"),
    ],
)
def test_an_owner_has_a_name_for_people(owner: Owner, text: str) -> None:
    assert who(owner) == text


@pytest.mark.example
@pytest.mark.parametrize(
    "url",
    [
        "",
        "javascript:alert(1)",
        "https://",
        "https://[",
        "https://x/::error::",
        "https://x/a b",
        "https://x/\n",
        "file:///etc/passwd",
        "https://x/" + "a" * 300,
        "https://x/$(id)",
        "https://x/`id`",
        "https://x/';id;'",
        "https://x/${IFS}&id",
    ],
)
def test_only_a_plain_page_is_linked(url: str) -> None:
    owner = replace(ALICE, url=url)

    assert link(owner) == ""
    assert owner_cell(owner) == "`acme/api > deploy > prod (alice)`"


@pytest.mark.example
def test_a_page_is_linked_in_the_summary() -> None:
    assert owner_cell(ALICE) == f"[`acme/api > deploy > prod (alice)`]({ALICE.url})"


@pytest.mark.example
@pytest.mark.parametrize("url", ["https://x/a)b", "https://x/<b>", "http://x/a", "https://x/a|b"])
def test_a_page_that_markdown_could_misread_is_not_linked_there(url: str) -> None:
    assert "](" not in owner_cell(replace(ALICE, url=url))


@pytest.mark.example
@pytest.mark.parametrize(
    ("number", "text"),
    [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (13, "13th"), (22, "22nd")],
)
def test_places_are_counted_as_people_do(number: int, text: str) -> None:
    assert ordinal(number) == text


@pytest.mark.example
def test_times_are_in_utc_and_have_a_date_where_it_matters() -> None:
    assert iso_time(NOW) == "2026-11-23T14:08:15Z"
    assert clock_time(NOW, NOW) == "14:08:15Z"
    assert clock_time(NOW, NOW + 86_400) == "2026-11-23 14:08:15Z"


class Listener:
    """Hears what a wait says."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.lines: list[str] = []
        say: Callable[[str], None] = self.lines.append
        self.progress = WaitLog(print_lines(say), clock=self.clock, on_claim=say)

    def heard(self, status: WaitStatus) -> int:
        before = len(self.lines)
        self.progress.on_wait(status)
        return len(self.lines) - before


@pytest.mark.example
def test_a_wait_is_told_at_once_on_every_change_and_else_once_a_minute() -> None:
    listener = Listener()
    beaten = replace(RECORD, holders=(replace(HOLDER, revision=19, expires_at=NOW + 120),))
    moved = replace(
        SITUATION, position=QueuePosition(ahead=(), settle_time=1.0, fits_holders=False)
    )

    told = [listener.heard(SITUATION)]
    listener.clock.sleep(59.0)
    told.append(listener.heard(replace(SITUATION, record=beaten, waited=119.0)))
    told.append(listener.heard(moved))
    listener.clock.sleep(60.0)
    told.append(listener.heard(moved))

    assert told == [4, 0, 4, 4]


@pytest.mark.example
def test_one_try_is_told_by_its_refusal_only() -> None:
    listener = Listener()

    assert listener.heard(replace(SITUATION, budget=0.0)) == 0


@pytest.mark.property
@given(st.lists(st.floats(0, 100), max_size=20))
def test_a_wait_without_news_says_at_most_one_screen_a_minute(pauses: list[float]) -> None:
    listener = Listener()
    for pause in pauses:
        listener.heard(SITUATION)
        listener.clock.sleep(pause)

    assert len(listener.lines) <= 4 * (1 + sum(pauses) / 60)
