"""Who is known to be dead without asking anybody."""

from dataclasses import replace

import pytest

from gcs_ci_lock.protocol.record import Holder, Owner, PastLease, Record
from gcs_ci_lock.protocol.takeover import proof_of_end, taken_over
from tests.support.samples import ENDED, HOLDER, NOW

pytestmark = pytest.mark.example

PAGE = "https://github.com/acme/api/actions/runs/8123"
FIRST = Owner(platform="github", repository="acme/api", run_id="8123", attempt="1", url=PAGE)
SECOND = replace(FIRST, attempt="2", url=f"{PAGE}/attempts/2")


def test_an_earlier_attempt_of_the_same_run_is_dead() -> None:
    assert proof_of_end(FIRST, SECOND) == "run 8123 goes on as attempt 2"
    assert proof_of_end(replace(SECOND, attempt="9"), replace(SECOND, attempt="10"))


@pytest.mark.parametrize(
    "holder",
    [
        SECOND,
        replace(FIRST, attempt="3"),
        replace(FIRST, attempt=""),
        replace(FIRST, attempt="-1"),
        replace(FIRST, attempt="1" * 21),
        replace(FIRST, run_id="8124", url=PAGE.replace("8123", "8124")),
        replace(FIRST, platform="gitlab"),
        replace(FIRST, url=PAGE.replace("github.com", "github.acme.com")),
        replace(FIRST, url=""),
        Owner(),
    ],
    ids=lambda owner: f"{owner.platform} {owner.attempt} {owner.url[:30]}",
)
def test_nobody_else_is(holder: Owner) -> None:
    assert proof_of_end(holder, SECOND) == ""


def test_runs_that_say_nothing_of_themselves_are_not_each_other() -> None:
    assert proof_of_end(Owner(attempt="1"), Owner(attempt="2")) == ""
    assert proof_of_end(replace(FIRST, run_id=""), replace(SECOND, run_id="")) == ""
    assert proof_of_end(replace(FIRST, url=""), replace(SECOND, url="")) == ""


def test_the_same_identity_is_dead_and_no_identity_is_nobodys() -> None:
    mine = Owner(platform="local", actor="alice", identity="laptop deploys")

    assert proof_of_end(Owner(identity="laptop deploys"), mine) == '"laptop deploys" is here again'
    assert proof_of_end(Owner(identity="other"), mine) == ""
    assert proof_of_end(Owner(), Owner()) == ""


DEAD = replace(ENDED, lease="dead", token=5, granted_at=NOW - 500, ended_at=NOW, outcome="evicted")
LATER = replace(ENDED, lease="later", token=6, granted_at=NOW + 1, ended_at=NOW + 9)


def left(*ends: PastLease, holders: tuple[Holder, ...] = ()) -> list[str]:
    record = Record(name="prod", fence=9, holders=holders, history=ends)
    return [ended.lease for ended in taken_over(record, "mine")]


def test_who_enters_after_one_that_never_released_takes_its_place() -> None:
    mine = replace(HOLDER, lease="mine", token=7, granted_at=NOW + 1)

    assert left(DEAD) == ["dead"]
    assert left(DEAD, holders=(mine,)) == ["dead"]
    assert left(replace(DEAD, outcome="expired")) == ["dead"]
    assert left(replace(DEAD, outcome="released")) == []
    assert left(replace(DEAD, lease="mine")) == []


@pytest.mark.parametrize("dated", [NOW + 1, NOW, NOW - 30])
def test_its_place_is_taken_once_also_where_clocks_differ(dated: float) -> None:
    assert left(DEAD, replace(LATER, granted_at=dated)) == []
    assert left(DEAD, holders=(replace(HOLDER, token=6, granted_at=dated),)) == []


def test_who_held_beside_it_has_not_taken_its_place() -> None:
    beside = replace(HOLDER, lease="beside", token=6, granted_at=NOW - 31, slots=2)
    expired = replace(DEAD, outcome="expired")

    assert left(DEAD, holders=(beside,)) == ["dead"]
    assert left(DEAD, holders=(replace(beside, token=4, granted_at=NOW),)) == ["dead"]
    assert left(expired, holders=(replace(beside, granted_at=NOW - 1),)) == ["dead"]
    assert left(expired, holders=(replace(beside, granted_at=NOW),)) == []
