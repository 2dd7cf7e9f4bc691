"""`freeze` and `unfreeze`."""

import pytest

from tests.support.fakes import EPOCH
from tests.support.faults import Outage, failing
from tests.support.memory_shell import MemoryShell
from tests.support.shell import Ended

pytestmark = pytest.mark.example


def freeze(shell: MemoryShell, *options: str, reason: str = "release week") -> Ended:
    return shell.lock("freeze", "prod", "--reason", reason, *options)


def test_a_frozen_lock_says_who_froze_it_and_why(shell: MemoryShell) -> None:
    shell.environ |= {"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "acme/api"}

    ended = freeze(shell)

    assert ended.exit_code == 0
    assert ended.err.startswith('Lock "prod" frozen by acme/api')
    frozen = shell.record().frozen
    assert frozen is not None
    assert (frozen.reason, frozen.author, frozen.until) == ("release week", "acme/api", None)


def test_a_second_freeze_replaces_the_first_and_tells_it(shell: MemoryShell) -> None:
    freeze(shell)

    ended = freeze(shell, reason="migration")

    assert "Replaced the freeze by" in ended.err
    assert "release week" in ended.err
    assert shell.record().frozen is not None


def test_a_lock_is_unfrozen_once(shell: MemoryShell) -> None:
    freeze(shell)

    first, second = shell.lock("unfreeze"), shell.lock("unfreeze")

    assert 'Lock "prod" unfrozen; it was frozen by' in first.err
    assert second.err == 'Lock "prod" is not frozen: nothing to do\n'
    assert (first.exit_code, second.exit_code) == (0, 0)
    assert shell.record().frozen is None


@pytest.mark.parametrize("until", ["2h", "2026-11-23T11:16:40Z", "2026-11-23T12:16:40+01:00"])
def test_a_freeze_ends_at_a_moment_or_after_a_while(shell: MemoryShell, until: str) -> None:
    ended = freeze(shell, "--until", until)

    assert ended.exit_code == 0, ended
    frozen = shell.record().frozen
    assert frozen is not None
    assert frozen.until is not None


def test_a_duration_counts_from_now_by_the_servers_clock(shell: MemoryShell) -> None:
    freeze(shell, "--until", "2h")

    frozen = shell.record().frozen
    assert frozen is not None
    assert frozen.until == pytest.approx(EPOCH + shell.world.clock.now + 7200.0, abs=2.0)


@pytest.mark.parametrize(
    ("until", "problem"),
    [
        ("soon", 'until "soon" is not a time: expected a duration like 2h'),
        ("2026-11-24", "is not a time"),
        ("2026-11-24T06:00", "is not a time"),
        ("2026-13-24T06:00Z", "is not a time"),
        ("1999-11-24T06:00Z", "is over already"),
        ("0", "is over already"),
        ("9999-11-24T06:00Z", "is too far away"),
    ],
)
def test_an_end_that_cannot_be_is_refused(shell: MemoryShell, until: str, problem: str) -> None:
    ended = freeze(shell, "--until", until)

    assert ended.exit_code == 2
    assert problem in ended.err
    assert shell.world.bucket.objects == {}


def test_a_freeze_needs_a_reason(shell: MemoryShell) -> None:
    ended = freeze(shell, reason=" ")

    assert ended.exit_code == 2
    assert "--reason is empty" in ended.err
    assert shell.client.store.requests == []


@pytest.mark.fault
def test_a_lost_answer_is_outlasted_and_a_silent_server_is_an_error(shell: MemoryShell) -> None:
    outage = Outage()
    shell.client = shell.world.client("me", fault=failing("write", 2, when="after"))
    first = freeze(shell)
    shell.client = shell.world.client("me", fault=outage)
    outage.down = True
    second = shell.lock("unfreeze")

    assert first.exit_code == 0
    assert "Replaced" not in first.err
    assert second.exit_code == 69
