"""Who is known to be dead without asking anybody."""

from dataclasses import replace

import pytest

from gcs_ci_lock.core.death import known_dead
from gcs_ci_lock.core.record import Owner

pytestmark = pytest.mark.example

PAGE = "https://github.com/acme/api/actions/runs/8123"
FIRST = Owner(platform="github", repository="acme/api", run_id="8123", attempt="1", url=PAGE)
SECOND = replace(FIRST, attempt="2", url=f"{PAGE}/attempts/2")


def test_an_earlier_attempt_of_the_same_run_is_dead() -> None:
    assert known_dead(FIRST, SECOND) == "run 8123 goes on as attempt 2"
    assert known_dead(replace(SECOND, attempt="9"), replace(SECOND, attempt="10"))


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
    assert known_dead(holder, SECOND) == ""


def test_runs_that_say_nothing_of_themselves_are_not_each_other() -> None:
    assert known_dead(Owner(attempt="1"), Owner(attempt="2")) == ""
    assert known_dead(replace(FIRST, run_id=""), replace(SECOND, run_id="")) == ""
    assert known_dead(replace(FIRST, url=""), replace(SECOND, url="")) == ""


def test_the_same_identity_is_dead_and_no_identity_is_nobodys() -> None:
    mine = Owner(platform="local", actor="alice", identity="laptop deploys")

    assert known_dead(Owner(identity="laptop deploys"), mine) == '"laptop deploys" is here again'
    assert known_dead(Owner(identity="other"), mine) == ""
    assert known_dead(Owner(), Owner()) == ""
