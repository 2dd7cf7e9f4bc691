"""A use of every public name, that mypy checks and nothing runs.

A change that breaks a caller's types fails here: a name that is gone, an argument that is renamed,
a result of another type. Each `type: ignore` is a wrong use that mypy must refuse: strict mode
reports one that is not needed.
"""

from typing import assert_type

from gcs_ci_lock import (
    Denied,
    Lease,
    LeaseLost,
    Lock,
    LockError,
    NotAcquired,
    RecordInvalid,
    StorageUnreachable,
    UsageError,
)


def deploy(fencing_token: int) -> None:
    """Stand for the work that the lock protects."""
    assert_type(fencing_token, int)


def the_least() -> None:
    """Hold a lock for a block, as the README does."""
    with Lock("acme/api/prod", bucket="acme-locks").acquire(wait="30m") as lease:
        assert_type(lease, Lease)
        deploy(fencing_token=lease.token)
        lease.check()


def every_setting(sequence: int | None, endpoint: str | None) -> Lock:
    """Give every argument by its name."""
    return Lock(
        "acme/api/prod",
        bucket="gs://acme-locks/prefix",
        slots=3,
        ttl="2m",
        max_hold="6h",
        queue="newest",
        priority=9,
        sequence=sequence,
        reason="release 41",
        endpoint=endpoint,
    )


def without_a_block(lock: Lock) -> None:
    """Use everything that a lease has."""
    lease = lock.acquire()
    assert_type(lease.name, str)
    assert_type(lease.id, str)
    assert_type(lease.token, int)
    assert_type(lease.waited, float)
    assert_type(lease.believes_held(), bool)
    lease.check()
    lease.release()


def every_error(lock: Lock) -> int:
    """Tell the errors apart, the special before the general."""
    try:
        lock.acquire(wait="0").release()
    except NotAcquired as error:
        assert_type(error.exit_code, int)
        return 1
    except LeaseLost:
        return 2
    except RecordInvalid as error:
        assert_type(error.uri, str)
        assert_type(error.problem, str)
        return 3
    except (Denied, StorageUnreachable, UsageError) as error:
        assert_type(error, Denied | StorageUnreachable | UsageError)
        return 4
    except LockError as error:
        assert_type(str(error), str)
        return error.exit_code
    return 0


def parents() -> tuple[type[LockError], ...]:
    """List the errors: one `except LockError` catches them all."""
    return (Denied, LeaseLost, NotAcquired, RecordInvalid, StorageUnreachable, UsageError)


def wrong_uses(lock: Lock) -> None:
    """Show what mypy refuses."""
    Lock("acme/api/prod")  # type: ignore[call-arg]
    Lock("acme/api/prod", "acme-locks")  # type: ignore[call-arg]
    Lock("acme/api/prod", bucket="acme-locks", ttl=120)  # type: ignore[arg-type]
    lock.acquire(wait=30)  # type: ignore[arg-type]
    with lock:  # type: ignore[attr-defined]
        pass
