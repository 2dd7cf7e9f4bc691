"""`run` and `hold`: the leases live as long as this process."""

from collections.abc import Callable

import pytest

from gcs_ci_lock.errors import UsageError
from gcs_ci_lock.locking.admin import evict
from gcs_ci_lock.protocol.record import LossReason
from tests.support.faults import Outage
from tests.support.memory_shell import MemoryShell
from tests.support.memory_step import TOKEN
from tests.support.shell import Ended

pytestmark = pytest.mark.example

Work = Callable[[], int]


@pytest.fixture
def outage(shell: MemoryShell) -> Outage:
    """Return what turns the server off for the command."""
    outage = Outage()
    shell.client = shell.world.client("me", fault=outage)
    return outage


def run(shell: MemoryShell, work: Work, *options: str) -> Ended:
    shell.child.work = work
    return shell.lock("run", "prod", *options, "--", "./deploy.sh", "--now")


def test_a_command_runs_while_the_lock_is_held(shell: MemoryShell) -> None:
    held: list[list[str]] = []
    shell.environ["HOME"] = "/root"

    def work() -> int:
        held.append(shell.holders())
        return 0

    ended = run(shell, work)

    assert ended.exit_code == 0
    assert held == [["me-1"]]
    assert shell.holders() == []
    assert shell.child.argv == ["./deploy.sh", "--now"]
    assert shell.child.environ == {
        "HOME": "/root",
        "GCS_CI_LOCK_TOKEN": str(TOKEN),
        "GCS_CI_LOCK_LEASE": "me-1",
        "GCS_CI_LOCK_NAME": "prod",
    }
    assert ended.err.splitlines() == [
        f'Acquired lock "prod" after 0s: fencing token {TOKEN}, renewed every 20s by this process',
        f'Released lock "prod" (fencing token {TOKEN})',
    ]
    assert ended.out == ""


def test_the_exit_code_is_the_commands(shell: MemoryShell) -> None:
    assert run(shell, lambda: 3).exit_code == 3


def test_several_locks_are_acquired_in_one_order_and_released_in_reverse(
    shell: MemoryShell,
) -> None:
    ended = shell.type("run", "web", "db", "--bucket", "gs://acme-locks", "--", "true")

    assert ended.exit_code == 0
    assert shell.child.environ["GCS_CI_LOCK_NAME"] == "db\nweb"
    assert shell.child.environ["GCS_CI_LOCK_LEASE"] == "me-1\nme-2"
    assert [line.split('"')[1] for line in ended.err.splitlines()] == ["db", "web", "web", "db"]


@pytest.mark.fault
def test_a_command_that_succeeds_without_a_release_is_no_success(
    shell: MemoryShell, outage: Outage
) -> None:
    def work() -> int:
        outage.down = True
        return 0

    ended = run(shell, work)

    assert ended.exit_code == 69
    assert 'lock "prod" could not be released: connection refused' in ended.err
    assert "Its lease ends by itself, at most 2m08s after its last renewal" in ended.err


@pytest.mark.fault
def test_the_exit_code_of_a_command_that_failed_counts_before_that_of_the_release(
    shell: MemoryShell, outage: Outage
) -> None:
    def work() -> int:
        outage.down = True
        return 3

    ended = run(shell, work)

    assert ended.exit_code == 3
    assert 'lock "prod" could not be released' in ended.err


@pytest.mark.parametrize("exit_code", [0, 3])
def test_a_lease_that_was_lost_by_time_is_the_exit_code(shell: MemoryShell, exit_code: int) -> None:
    def work() -> int:
        shell.world.clock.sleep(81.0)
        return exit_code

    ended = run(shell, work)

    assert ended.exit_code == 76
    assert (
        f'gcs-ci-lock: lease on lock "prod" lost: token {TOKEN} could not be renewed' in ended.err
    )
    assert shell.record().history[-1].loss is LossReason.RENEWAL_OVERDUE


def test_a_loss_that_only_the_release_finds_is_the_exit_code(shell: MemoryShell) -> None:
    def work() -> int:
        evict(shell.world.client("admin").lock, "me-1", note="stuck")
        return 0

    ended = run(shell, work)

    assert ended.exit_code == 76
    assert "was evicted" in ended.err


def test_a_lock_that_is_over_its_max_hold_is_released_and_lost(shell: MemoryShell) -> None:
    def work() -> int:
        shell.world.clock.sleep(61.0)
        return 0

    ended = run(shell, work, "--max-hold", "1m")

    assert ended.exit_code == 76
    assert f'Released lock "prod" (fencing token {TOKEN})' in ended.err
    assert "max-hold (1m00s) is over" in ended.err


def test_a_held_lock_ends_without_running_the_command(shell: MemoryShell) -> None:
    shell.world.client("alice", ttl=600).hold()

    ended = run(shell, int, "--wait", "10s")

    assert ended.exit_code == 75
    assert 'could not acquire lock "prod"' in ended.err
    assert "alice" in ended.err
    assert shell.child.argv == ()
    assert shell.world.tickets() == []


def test_a_signal_during_the_wait_is_the_exit_code(shell: MemoryShell) -> None:
    shell.world.client("alice", ttl=600).hold()
    shell.world.clock.after(10.0, shell.signals.set)

    ended = run(shell, int)

    assert ended.exit_code == 143
    assert 'Stopped waiting for lock "prod"' in ended.err
    assert shell.child.argv == ()


def test_a_command_that_cannot_be_started_leaves_the_lock_free(shell: MemoryShell) -> None:
    def refuse(*_: object) -> None:
        message = 'cannot run "./deploy.sh": Permission denied'
        raise UsageError(message)

    shell.child.start = refuse  # type: ignore[method-assign,assignment]

    ended = run(shell, int)

    assert ended.exit_code == 2
    assert "Permission denied" in ended.err
    assert shell.holders() == []


def test_a_run_without_a_command_says_how_it_is_typed(shell: MemoryShell) -> None:
    ended = shell.lock("run")

    assert ended.exit_code == 2
    assert "expected it after --, as in: gcs-ci-lock run acme/api/prod -- ./deploy.sh" in ended.err
    assert shell.world.bucket.objects == {}


def test_hold_holds_until_a_signal(shell: MemoryShell) -> None:
    held: list[list[str]] = []
    shell.world.clock.after(60.0, lambda: held.append(shell.holders()))
    shell.world.clock.after(60.0, shell.signals.set)

    ended = shell.lock("hold")

    assert ended.exit_code == 0
    assert held == [["me-1"]]
    assert shell.holders() == []
    assert f'Released lock "prod" (fencing token {TOKEN})' in ended.err


def test_hold_ends_with_its_lease(shell: MemoryShell) -> None:
    # Its thread waits by the real clock: in this world nothing is renewed.
    ended = shell.lock("hold")

    assert ended.exit_code == 76
    assert "could not be renewed for 1m20s" in ended.err


@pytest.mark.fault
def test_hold_without_a_release_is_no_success(shell: MemoryShell, outage: Outage) -> None:
    def stop() -> None:
        outage.down = True
        shell.signals.set()

    shell.world.clock.after(10.0, stop)

    ended = shell.lock("hold")

    assert ended.exit_code == 69
    assert 'lock "prod" could not be released: connection refused' in ended.err


def test_a_signal_while_hold_waits_is_its_exit_code(shell: MemoryShell) -> None:
    shell.world.client("alice", ttl=600).hold()
    shell.world.clock.after(10.0, shell.signals.set)

    assert shell.lock("hold").exit_code == 143
