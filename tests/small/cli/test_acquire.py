"""Acquiring one lock for a command, and what people are told."""

import pytest

from gcs_ci_lock.cli.acquire import (
    acquire_lock,
    print_release,
    requests_of,
    verifier_for,
)
from gcs_ci_lock.cli.options import AcquireOptions
from gcs_ci_lock.errors import LockError, NotAcquired, StorageUnreachable, UsageError
from gcs_ci_lock.keepalive.held import HeldLock, ReleaseResult
from gcs_ci_lock.keepalive.lease_ref import LeaseRef
from gcs_ci_lock.locking.lease import max_hold_over, removed_from_record
from gcs_ci_lock.locking.outcome import NotReleased, Released, Stopped
from gcs_ci_lock.platforms.verifier import NoVerifier
from gcs_ci_lock.protocol.transitions import NotHeld
from tests.support.keepalives import FakeKeepAlive, held_by_client
from tests.support.memory_shell import MemoryShell
from tests.support.samples import ENDED

pytestmark = pytest.mark.example

OPTIONS = AcquireOptions(names=["prod"], bucket="gs://acme-locks", wait="10s")


def acquired_by(
    shell: MemoryShell, announced: list[LeaseRef] | None = None, **changes: object
) -> HeldLock | Stopped:
    """Acquire as a command does; the lease is announced to a list."""
    options = AcquireOptions(**{"names": ["prod"], "bucket": "gs://acme-locks", **changes})  # type: ignore[arg-type]
    (request,) = requests_of(options)
    return acquire_lock(
        options,
        request,
        shell.signals,
        verifier=NoVerifier(),
        renewed_by="a test",
        announce=(announced if announced is not None else []).append,
        keepalive=lambda _: FakeKeepAlive(),
    )


def test_a_lease_is_announced_before_it_is_claimed_and_after_the_grant(shell: MemoryShell) -> None:
    announced: list[LeaseRef] = []

    held = acquired_by(shell, announced)

    assert isinstance(held, HeldLock)
    before, after = announced
    assert (before.lease, before.token) == ("me-1", 0)
    assert (after.lease, after.token) == ("me-1", held.acquired.lease.token)
    assert after.keeper == "process"
    assert not shell.verbose


def test_a_lease_that_cannot_be_announced_is_released(shell: MemoryShell) -> None:
    (request,) = requests_of(OPTIONS)

    def refuse(lease_ref: LeaseRef) -> None:
        if lease_ref.token:
            message = "disk full"
            raise LockError(message)

    with pytest.raises(LockError, match="disk full"):
        acquire_lock(
            OPTIONS,
            request,
            shell.signals,
            verifier=NoVerifier(),
            renewed_by="a test",
            announce=refuse,
            keepalive=lambda _: FakeKeepAlive(),
        )

    assert shell.holders() == []


def test_a_held_lock_is_refused(shell: MemoryShell) -> None:
    shell.world.client("alice", ttl=600).hold()

    with pytest.raises(NotAcquired, match='could not acquire lock "prod"'):
        acquired_by(shell, wait="10s")


def test_a_run_that_is_outdated_is_refused(shell: MemoryShell) -> None:
    held = acquired_by(shell, sequence="7")
    assert isinstance(held, HeldLock)
    held.release()

    with pytest.raises(NotAcquired, match="outdated, sequence 7 was already granted"):
        acquired_by(shell, sequence="6")


def test_who_was_taken_over_is_told(shell: MemoryShell, capsys: pytest.CaptureFixture[str]) -> None:
    shell.world.client("alice").hold()
    shell.world.clock.sleep(130.0)

    acquired_by(shell, wait="30s")

    assert "Took over from a holder whose lease expired" in capsys.readouterr().err


def test_requests_are_logged_only_when_asked_for(shell: MemoryShell) -> None:
    acquired_by(shell, verbose=True)

    assert shell.verbose


def test_what_is_asked_for_says_who_asks_and_why(shell: MemoryShell) -> None:
    shell.environ |= {"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "acme/api"}
    options = AcquireOptions(
        names=["web", "db"], bucket="acme-locks", reason="release 4.2", identity=" runner-1 "
    )

    db, web = requests_of(options)

    assert (db.paths.name, web.paths.name) == ("db", "web")
    assert db.owner.repository == "acme/api"
    assert (db.owner.reason, db.owner.identity) == ("release 4.2", "runner-1")


def test_an_identity_that_would_be_cut_is_refused() -> None:
    options = AcquireOptions(names=["db"], bucket="acme-locks", identity="x" * 201)

    with pytest.raises(UsageError, match="--identity has 201 characters: expected 200 at most"):
        requests_of(options)


@pytest.mark.parametrize("verify", [True, False])
def test_holders_are_verified_unless_that_is_turned_off(
    shell: MemoryShell, *, verify: bool
) -> None:
    shell.environ["GITHUB_TOKEN"] = "t0ken"
    options = AcquireOptions(names=["db"], bucket="acme-locks", verify_holder=verify)

    assert isinstance(verifier_for(options), NoVerifier) == (not verify)


@pytest.mark.parametrize(
    ("result", "line"),
    [
        (Released(ended=ENDED), 'Released lock "prod" (fencing token '),
        (max_hold_over(600.0), 'Released lock "prod" (fencing token '),
        (NotReleased(error=StorageUnreachable("down")), 'lock "prod" could not be released: down'),
        (removed_from_record(41, NotHeld(ended=None, holders=())), ""),
    ],
    ids=["released", "max-hold", "not released", "lost"],
)
def test_a_release_is_printed_as_it_ended(
    shell: MemoryShell, capsys: pytest.CaptureFixture[str], result: ReleaseResult, line: str
) -> None:
    print_release(held_by_client(shell.client, FakeKeepAlive()), result)

    err = capsys.readouterr().err
    assert err.startswith(line)
    assert bool(err) == bool(line)
