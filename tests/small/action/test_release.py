"""`mode: release`: a step releases the leases of its job before the job ends."""

import pytest

from gcs_ci_lock.errors import NotAcquired, StorageUnreachable
from gcs_ci_lock.keepalive.sidecar.messages import KeeperStatus
from gcs_ci_lock.locking.admin import evict
from gcs_ci_lock.protocol.record import LossReason
from gcs_ci_lock.storage.memory import Moment, Request
from tests.support.faults import Outage
from tests.support.memory_step import TOKEN, MemoryJob

pytestmark = pytest.mark.example


@pytest.mark.parametrize("keep_alive", ["auto", "none"])
def test_a_lease_is_released_early_and_post_finds_nothing_lost(
    job: MemoryJob, keep_alive: str
) -> None:
    acquire = job.step(keep_alive=keep_alive, max_hold="10m")
    acquire.acquire()
    release = job.step("release", mode="release")

    code = release.release()

    assert code == 0
    assert release.log == [f'Released lock "prod" (fencing token {TOKEN})']
    assert job.holders() == []
    assert job.files() == []
    with pytest.raises(NotAcquired):
        job.step("check").check()
    assert acquire.post() == 0
    assert acquire.said("error") == ""


def test_the_record_changes_before_the_keeper_stops(job: MemoryJob) -> None:
    job.step().acquire()

    def note(request: Request, when: Moment) -> None:
        if request.method == "write" and when == "after":
            job.engine.journal.append("write")

    job.step("release", client=job.world.client("release", fault=note)).release()

    assert job.engine.journal == ["write", "stop lock-1"]


def test_several_are_released_in_reverse(job: MemoryJob) -> None:
    job.step(name="db\nweb").acquire()
    release = job.step("release", name="")

    assert release.release() == 0
    assert release.log == [
        f'Released lock "web" (fencing token {TOKEN})',
        f'Released lock "db" (fencing token {TOKEN})',
    ]


def test_only_the_lease_that_is_named_is_released(job: MemoryJob) -> None:
    job.step(name="db\nweb").acquire()

    job.step("release", name="web").release()

    assert job.holders("db") == ["lock-1"]
    assert job.holders("web") == []


@pytest.mark.parametrize(
    ("on_lost", "code", "kind"), [("fail", 76, "error"), ("warn", 0, "warning")]
)
def test_a_loss_is_reported_as_the_first_step_asked(
    job: MemoryJob, on_lost: str, code: int, kind: str
) -> None:
    job.step(on_lost=on_lost).acquire()
    evict(job.world.client("admin").lock, "lock-1", note="stuck")
    release = job.step("release")

    assert release.release() == code
    assert f"token {TOKEN} was evicted" in release.said(kind)


def test_a_lease_that_was_not_renewed_in_time_is_lost_and_released(job: MemoryJob) -> None:
    job.step().acquire()
    job.engine.containers["lock-1"].end(
        KeeperStatus(phase="lost", reason=f"token {TOKEN} gone", loss=LossReason.RENEWAL_OVERDUE)
    )
    release = job.step("release")

    assert release.release() == 76

    assert job.holders() == []
    assert job.record().history[-1].loss is LossReason.RENEWAL_OVERDUE


@pytest.mark.fault
def test_a_server_that_is_down_is_an_error_and_post_tries_again(job: MemoryJob) -> None:
    outage = Outage()
    acquire = job.step()
    acquire.acquire()
    outage.down = True

    release = job.step("release", client=job.world.client("release", fault=outage))
    exit_code = release.release()

    assert exit_code == StorageUnreachable.exit_code
    assert 'lock "prod" could not be released' in release.said("error")
    assert job.holders() == ["lock-1"]
    assert acquire.post() == 76
    assert job.holders() == []
