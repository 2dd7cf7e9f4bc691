"""`mode: check`: a step fails if a lease of its job is lost."""

import pytest

from gcs_ci_lock.errors import LeaseLost, NotAcquired, StorageUnreachable
from gcs_ci_lock.keepalive.sidecar.errors import SidecarUnavailable
from gcs_ci_lock.keepalive.sidecar.messages import KeeperStatus
from gcs_ci_lock.locking.admin import evict
from gcs_ci_lock.protocol.record import LossReason
from tests.support.faults import Outage
from tests.support.memory_step import TOKEN, MemoryJob

pytestmark = pytest.mark.example

GIVEN_UP = KeeperStatus(
    phase="lost", reason=f"token {TOKEN} could not be renewed", loss=LossReason.RENEWAL_OVERDUE
)


def evict_lease(job: MemoryJob, lease: str = "lock-1") -> None:
    evict(job.world.client("admin").lock, lease, note="stuck")


@pytest.mark.parametrize("keep_alive", ["auto", "none"])
def test_a_lease_that_holds_passes(job: MemoryJob, keep_alive: str) -> None:
    job.step(keep_alive=keep_alive, max_hold="10m").acquire()
    check = job.step("check", mode="check")

    assert check.check() == 0
    assert check.log == [f'Lock "prod" is held: fencing token {TOKEN}']


def test_a_lease_that_was_evicted_is_lost_and_names_the_holder(job: MemoryJob) -> None:
    job.step().acquire()
    evict_lease(job)
    job.world.client("rival").hold(wait=10)
    check = job.step("check")

    with pytest.raises(LeaseLost, match=rf"token {TOKEN} was evicted at .* now held by rival"):
        check.check()

    assert check.outputs["outcome"] == "lost"


def test_a_lease_whose_record_is_gone_is_lost(job: MemoryJob) -> None:
    job.step(keep_alive="none", max_hold="10m").acquire()
    job.world.bucket.objects.clear()

    with pytest.raises(LeaseLost, match="somebody deleted or replaced the record"):
        job.step("check").check()


@pytest.mark.parametrize("removed", [True, False])
def test_a_keeper_that_is_gone_is_a_loss(job: MemoryJob, *, removed: bool) -> None:
    job.step().acquire()
    if removed:
        job.engine.containers.clear()
    else:
        job.engine.containers["lock-1"].end()

    with pytest.raises(
        LeaseLost, match=f"token {TOKEN}: its keeper is gone, and nothing renews it"
    ):
        job.step("check").check()


def test_a_loss_that_the_keeper_reports_is_told(job: MemoryJob) -> None:
    job.step().acquire()
    job.engine.containers["lock-1"].status = GIVEN_UP

    with pytest.raises(LeaseLost, match=f"token {TOKEN} could not be renewed"):
        job.step("check").check()


def test_how_the_record_says_that_it_ended_counts_before_the_keepers_word(job: MemoryJob) -> None:
    job.step().acquire()
    job.engine.containers["lock-1"].status = GIVEN_UP
    evict_lease(job)

    with pytest.raises(LeaseLost, match="was evicted"):
        job.step("check").check()


def test_an_engine_that_cannot_be_asked_leaves_the_record(job: MemoryJob) -> None:
    job.step().acquire()
    job.engine.trouble = SidecarUnavailable("the Docker engine refused")
    check = job.step("check")

    assert check.check() == 0
    assert "The keeper of the lease cannot be reached" in check.said("warning")


@pytest.mark.fault
def test_a_record_that_cannot_be_read_is_an_error_unless_a_loss_is_known(job: MemoryJob) -> None:
    outage = Outage()
    job.step().acquire()
    check = job.step("check", client=job.world.client("check", fault=outage))
    outage.down = True

    with pytest.raises(StorageUnreachable):
        check.check()
    job.engine.containers["lock-1"].status = GIVEN_UP
    with pytest.raises(LeaseLost):
        check.check()


def test_a_job_that_holds_nothing_is_told_what_to_do(job: MemoryJob) -> None:
    with pytest.raises(NotAcquired) as refused:
        job.step("check").check()

    assert str(refused.value) == (
        'no earlier step of this job holds lock "prod": add a step with `mode: acquire` before '
        "this one"
    )


def test_a_check_without_a_name_means_all_leases_of_the_job(job: MemoryJob) -> None:
    with pytest.raises(NotAcquired, match="holds a lock: add a step"):
        job.step("check", name="").check()
    job.step("one", name="db").acquire()
    job.step("two", name="web").acquire()
    check = job.step("check", name="")

    assert check.check() == 0
    assert check.log == [
        f'Lock "db" is held: fencing token {TOKEN}',
        f'Lock "web" is held: fencing token {TOKEN}',
    ]


def test_a_name_that_no_step_holds_is_told_before_any_lease_is_checked(job: MemoryJob) -> None:
    job.step(name="db").acquire()

    with pytest.raises(NotAcquired, match='holds lock "web"'):
        job.step("check", name="db\nweb").check()


def test_only_the_lease_that_is_named_is_checked(job: MemoryJob) -> None:
    job.step("one", name="db").acquire()
    job.step("two", name="web").acquire()
    job.engine.containers["two-1"].end()

    assert job.step("check", name="db").check() == 0
    with pytest.raises(LeaseLost, match='lock "web"'):
        job.step("again", name="web").check()
