"""The Python interface as a script uses it, against a real storage server."""

import gc
from pathlib import Path

import pytest

from gcs_ci_lock import LeaseLost, Lock, NotAcquired, UsageError
from tests.support.bucket import TestBucket
from tests.support.shell import until

pytestmark = pytest.mark.end_to_end


def lock_of(bucket: TestBucket, *, ttl: str = "2m", slots: int = 1, reason: str = "") -> Lock:
    return Lock(
        "prod",
        bucket=bucket.uri,
        endpoint=bucket.endpoint,
        ttl=ttl,
        slots=slots,
        reason=reason,
    )


def test_a_with_statement_holds_the_lock_and_gives_it_back(bucket: TestBucket) -> None:
    with lock_of(bucket, reason="release 4.2").acquire(wait="0") as lease:
        (holder,) = bucket.record("prod")["holders"]
        lease.check()
        believed = lease.believes_held()

    assert (lease.name, lease.id, lease.token) == ("prod", holder["lease"], holder["token"])
    assert holder["owner"]["reason"] == "release 4.2"
    assert believed
    assert bucket.record("prod")["holders"] == []


def test_an_error_inside_gives_the_lock_back_and_goes_on_its_way(bucket: TestBucket) -> None:
    with pytest.raises(ZeroDivisionError), lock_of(bucket).acquire(wait="0"):
        _ = 1 / 0

    assert bucket.record("prod")["holders"] == []


def test_tokens_rise_from_lease_to_lease(bucket: TestBucket) -> None:
    lock = lock_of(bucket)

    with lock.acquire(wait="0") as first:
        pass
    with lock.acquire(wait="10s") as second:
        pass

    assert first.token < second.token


def test_one_try_on_a_held_lock_is_refused_and_names_the_holder(bucket: TestBucket) -> None:
    with (
        lock_of(bucket, reason="release 4.2").acquire(wait="0") as lease,
        pytest.raises(NotAcquired, match=r"release 4\.2") as refusal,
    ):
        lock_of(bucket).acquire(wait="0")

    assert refusal.value.exit_code == 75
    assert bucket.tickets("prod") == []
    assert [e["lease"] for e in bucket.record("prod")["history"]] == [lease.id]


def test_two_share_a_lock_of_two_slots(bucket: TestBucket) -> None:
    lock = lock_of(bucket, slots=2)

    with lock.acquire(wait="0") as first, lock.acquire(wait="0") as second:
        holders = bucket.record("prod")["holders"]

    assert {first.id, second.id} == {holder["lease"] for holder in holders}


def test_a_check_tells_that_the_lease_was_taken_away(bucket: TestBucket) -> None:
    lease = lock_of(bucket, ttl="30s").acquire(wait="0")
    bucket.delete_record("prod")
    until(lambda: not lease.believes_held())

    with pytest.raises(LeaseLost, match="is not in the record any more") as loss:
        lease.check()
    with pytest.raises(LeaseLost):
        lease.release()

    assert loss.value.exit_code == 76
    assert bucket.body("prod") is None


def test_a_block_that_ends_without_its_lease_says_so(bucket: TestBucket) -> None:
    with pytest.raises(LeaseLost), lock_of(bucket).acquire(wait="0"):
        bucket.delete_record("prod")


def test_an_error_of_the_block_goes_before_a_lost_lease(bucket: TestBucket) -> None:
    def fail() -> None:
        bucket.delete_record("prod")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), lock_of(bucket).acquire(wait="0"):
        fail()


def test_a_lease_is_released_once_and_never_anothers(bucket: TestBucket) -> None:
    lease = lock_of(bucket).acquire(wait="0")
    lease.release()
    with lock_of(bucket).acquire(wait="10s") as other:
        lease.release()

        (holder,) = bucket.record("prod")["holders"]

    assert holder["lease"] == other.id
    assert [e["lease"] for e in bucket.record("prod")["history"]] == [lease.id, other.id]


def test_a_lease_that_was_released_does_not_pass_a_check(bucket: TestBucket) -> None:
    lease = lock_of(bucket).acquire(wait="0")

    lease.release()

    assert not lease.believes_held()
    with pytest.raises(LeaseLost):
        lease.check()


def open_files() -> int:
    # Google's client refers to itself: what it has open is closed with it.
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_lease_that_was_released_leaves_no_file_open(bucket: TestBucket) -> None:
    lock = lock_of(bucket)
    lock.acquire(wait="0").release()
    before = open_files()

    for _ in range(3):
        lock.acquire(wait="10s").release()

    assert open_files() <= before


def test_settings_are_checked_before_any_request() -> None:
    with pytest.raises(UsageError, match=r'lock name "\.\./x"'):
        Lock("../x", bucket="acme-locks")
    with pytest.raises(UsageError, match="ttl 3s"):
        Lock("prod", bucket="acme-locks", ttl="3s")
