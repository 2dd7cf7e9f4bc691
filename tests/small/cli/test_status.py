"""`status`: who holds the locks, and who waits."""

import json

import pytest

from gcs_ci_lock.storage.memory import Moment, Request
from tests.support.faults import Outage
from tests.support.memory_shell import MemoryShell

pytestmark = pytest.mark.example

WHERE = ("--bucket", "gs://acme-locks")


def write(shell: MemoryShell, path: str, body: bytes) -> None:
    shell.world.client("stranger").store.write(path, body, generation=0, timeout=1)


def test_a_held_lock_names_its_holder(shell: MemoryShell) -> None:
    shell.world.client("alice").hold()

    ended = shell.type("status", "prod", *WHERE)

    assert ended.exit_code == 0
    assert 'Lock "prod"' in ended.out
    assert "alice" in ended.out


def test_a_lock_that_nobody_ever_held_is_free(shell: MemoryShell) -> None:
    ended = shell.type("status", "prod", *WHERE)

    assert ended.exit_code == 0
    assert "free" in ended.out


def test_without_names_all_locks_are_shown(shell: MemoryShell) -> None:
    for name in ("db", "acme/api/prod"):
        shell.lock("run", name, "--", "true")
    write(shell, "locks/not-a-lock.txt", b"x")
    write(shell, "locks/UPPER/lock.json", b"x")

    ended = shell.type("status", *WHERE, "--json")

    assert [lock["name"] for lock in ended.document["locks"]] == ["acme/api/prod", "db"]


def test_a_bucket_without_locks_says_so(shell: MemoryShell) -> None:
    ended = shell.type("status", *WHERE)

    assert ended.exit_code == 0
    assert ended.out == "There is no lock in gs://acme-locks/locks\n"


def test_waiters_are_part_of_the_document(shell: MemoryShell) -> None:
    shell.world.client("alice", ttl=600).hold()
    waiting: list[str] = []

    def look() -> None:
        waiting.append(shell.type("status", "prod", *WHERE, "--json").out)

    bob = shell.world.client("bob")
    shell.world.clock.after(20.0, look)
    bob.acquire(wait=30.0)

    (lock,) = json.loads(waiting[0])["locks"]
    assert [one["owner"]["actor"] for one in lock["holders"]] == ["alice"]
    assert [one["owner"]["actor"] for one in lock["waiters"]] == ["bob"]


def test_a_damaged_record_is_told_and_hides_no_other_lock(shell: MemoryShell) -> None:
    shell.world.client("alice").hold()
    write(shell, "locks/broken/lock.json", b"x")

    ended = shell.type("status", *WHERE)

    assert ended.exit_code == 2
    assert "locks/broken/lock.json is not valid" in ended.err
    assert 'Lock "prod"' in ended.out


@pytest.mark.fault
def test_a_server_that_does_not_answer_is_not_waited_for(shell: MemoryShell) -> None:
    outage = Outage()
    outage.down = True
    shell.client = shell.world.client("me", fault=outage)
    began = shell.world.clock.now

    ended = shell.type("status", "prod", *WHERE)

    assert ended.exit_code == 69
    assert ended.err == "gcs-ci-lock: connection refused\n"
    assert shell.world.clock.now == began


def test_nothing_is_written(shell: MemoryShell) -> None:
    methods: list[str] = []

    def note(request: Request, _when: Moment) -> None:
        methods.append(request.method)

    shell.client = shell.world.client("me", fault=note)

    shell.type("status", "prod", *WHERE)
    shell.type("status", *WHERE)

    assert set(methods) == {"read", "list"}


def test_a_bucket_must_be_named(shell: MemoryShell) -> None:
    ended = shell.type("status")

    assert ended.exit_code == 2
    assert "no bucket is given" in ended.err
