"""The post stage: releases what is still ours, stops the keepers, and reports how it was."""

import pytest

from gcs_ci_lock.errors import UsageError
from gcs_ci_lock.keepalive.sidecar.errors import SidecarUnavailable
from gcs_ci_lock.keepalive.sidecar.messages import KeeperStatus
from gcs_ci_lock.locking.admin import evict
from gcs_ci_lock.locking.lease import max_hold_over
from gcs_ci_lock.protocol.record import LossReason
from tests.support.faults import Outage
from tests.support.memory_step import TOKEN, MemoryJob, MemoryStep

pytestmark = pytest.mark.example

RELEASED = KeeperStatus(phase="released", beats=9, missed=1, reason="the step has ended")


@pytest.fixture
def step(job: MemoryJob) -> MemoryStep:
    """Return a step whose main stage has acquired, with a keeper."""
    step = job.step()
    step.acquire()
    step.log.clear()
    return step


def test_the_lease_is_released_and_the_page_says_how_it_was(
    job: MemoryJob, step: MemoryStep
) -> None:
    job.world.clock.sleep(60.0)
    job.engine.containers["lock-1"].status = RELEASED

    assert step.post() == 0

    assert step.log == [f'Released lock "prod" (fencing token {TOKEN})']
    assert job.holders() == []
    assert job.engine.journal == ["stop lock-1"]
    ending = step.files.summary.rpartition("| name |")[2]
    assert "| outcome | released |" in ending
    assert "| renewals | 9 |" in ending
    assert "| missed renewals | 1 |" in ending
    assert "| held | 1m" in ending or "| held | 5" in ending


def test_the_last_lines_of_the_keeper_are_shown_folded(job: MemoryJob, step: MemoryStep) -> None:
    job.engine.containers["lock-1"].lines = ["Could not renew", "::error::x"]

    step.post()

    assert step.log[0] == "::group::Output of the keeper"
    assert step.log[1] == "Could not renew"
    assert "::endgroup::" in step.log
    assert step.said("error") == ""


def test_several_are_released_in_reverse(job: MemoryJob) -> None:
    step = job.step(name="db\nweb")
    step.acquire()
    step.log.clear()

    assert step.post() == 0
    assert step.log == [
        f'Released lock "web" (fencing token {TOKEN})',
        f'Released lock "db" (fencing token {TOKEN})',
    ]


def test_what_the_keeper_released_by_itself_is_a_loss(job: MemoryJob, step: MemoryStep) -> None:
    keeper = job.world.client("keeper")
    keeper.lock.read()
    keeper.lock.release("lock-1", loss=max_hold_over(600.0))

    assert step.post() == 76

    assert "max-hold (10m00s) is over" in step.said("error")
    assert "| outcome | lost |" in step.files.summary


def test_a_loss_that_the_history_notes_is_reported_again(job: MemoryJob, step: MemoryStep) -> None:
    job.engine.containers["lock-1"].end(
        KeeperStatus(phase="lost", reason=f"token {TOKEN} gone", loss=LossReason.RENEWAL_OVERDUE)
    )
    job.step("release").release()

    assert step.post() == 76
    assert f"token {TOKEN} gone" in step.said("error")


def test_an_evicted_lease_is_a_loss_and_the_rival_keeps_the_lock(
    job: MemoryJob, step: MemoryStep
) -> None:
    evict(job.world.client("admin").lock, "lock-1", note="stuck")
    job.world.client("rival").hold(wait=10)

    assert step.post() == 76

    assert "was evicted" in step.said("error")
    assert job.holders() == ["rival-1"]


def test_a_lease_that_nothing_renewed_is_a_loss(job: MemoryJob) -> None:
    step = job.step(keep_alive="none", max_hold="1m")
    step.acquire()
    job.world.clock.sleep(85.0)

    assert step.post() == 76

    assert f"token {TOKEN} was not renewed in time" in step.said("error")
    assert job.record().history[-1].loss is LossReason.RENEWAL_OVERDUE


def test_on_lost_warn_is_a_warning(job: MemoryJob) -> None:
    step = job.step(on_lost="warn")
    step.acquire()
    evict(job.world.client("admin").lock, "lock-1", note="stuck")

    assert step.post() == 0
    assert "was evicted" in step.said("warning")


def test_a_record_that_somebody_deleted_is_a_warning(job: MemoryJob, step: MemoryStep) -> None:
    job.world.bucket.objects.clear()

    assert step.post() == 0

    assert "somebody deleted or replaced the record" in step.said("warning")
    assert step.said("error") == ""
    assert "| outcome | not ours any more |" in step.files.summary
    assert job.engine.journal == ["stop lock-1"]


@pytest.mark.fault
def test_a_server_that_is_down_fails_the_step(job: MemoryJob) -> None:
    outage = Outage()
    step = job.step(client=job.world.client("lock", fault=outage))
    step.acquire()
    outage.down = True

    assert step.post() == 69

    assert 'lock "prod" could not be released: connection refused' in step.said("error")
    assert "| outcome | not released |" in step.files.summary
    assert job.engine.journal == ["stop lock-1"]


def test_what_was_never_granted_is_taken_out_of_the_queue(job: MemoryJob) -> None:
    job.world.client("holder", ttl=600).hold()
    step = job.step()
    # The main stage is killed while it waits: it leaves its ticket and its state.
    job.world.clock.after(20.0, lambda: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        step.acquire()
    left = job.world.tickets()
    step.log.clear()

    assert step.post() == 0

    assert left != []
    assert job.world.tickets() == []
    assert step.log == ['Nothing to release: lock "prod" was not acquired']


def test_a_step_that_acquired_nothing_has_nothing_to_release(job: MemoryJob) -> None:
    step = job.step()
    step.state().clear()

    assert step.post() == 0
    assert step.log == ["Nothing to release: this step holds no lock"]


def test_where_no_state_is_handed_on_the_files_count(job: MemoryJob, step: MemoryStep) -> None:
    step.files.hands_state_on = False

    assert step.post() == 0
    assert job.holders() == []


def test_damaged_state_leaves_the_files(job: MemoryJob, step: MemoryStep) -> None:
    step.files.environ["STATE_lease"] = "{}"

    assert step.post() == 0

    assert "the step's state does not describe a lease" in step.said("warning")
    assert job.holders() == []


def test_a_damaged_file_leaves_the_state(job: MemoryJob, step: MemoryStep) -> None:
    (left,) = job.files()
    left.write_text("{}")

    assert step.post() == 0

    assert "is not what gcs-ci-lock wrote" in step.said("warning")
    assert job.holders() == []


@pytest.mark.parametrize("damaged", [True, False])
def test_without_state_and_files_the_keeper_is_found_by_its_label(
    job: MemoryJob, step: MemoryStep, *, damaged: bool
) -> None:
    (left,) = job.files()
    left.unlink()
    step.files.hands_state_on = False
    if damaged:
        step.files.environ["STATE_lease"] = "{}"
    job.engine.containers["lock-1"].status = RELEASED

    assert step.post() == 0

    assert "Released the lock of lease lock-1, by its keeper" in step.log
    assert ("does not describe a lease" in step.said("warning")) == damaged
    assert job.engine.journal == ["stop lock-1"]


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (None, "it printed nothing"),
        (KeeperStatus(phase="failed", reason="no answer"), "no answer"),
    ],
)
def test_a_keeper_that_does_not_release_fails_the_step(
    job: MemoryJob, step: MemoryStep, status: KeeperStatus | None, reason: str
) -> None:
    (left,) = job.files()
    left.unlink()
    step.files.hands_state_on = False
    job.engine.containers["lock-1"].status = status

    assert step.post() == 76
    assert f"The keeper of lease lock-1 did not release it: {reason}" in step.said("error")


@pytest.mark.parametrize("engine", [True, False])
def test_damaged_state_without_a_file_or_a_keeper_is_an_error(
    job: MemoryJob, *, engine: bool
) -> None:
    step = job.step()
    step.files.environ["STATE_lease"] = "{}"
    if not engine:
        job.engine.trouble = SidecarUnavailable("there is no Docker socket")

    with pytest.raises(UsageError, match="the step's state does not describe a lease"):
        step.post()

    assert ("cannot be reached" in step.said("warning")) == (not engine)


def test_an_engine_that_cannot_be_asked_keeps_nobody_from_releasing(
    job: MemoryJob, step: MemoryStep
) -> None:
    job.engine.trouble = SidecarUnavailable("the Docker engine refused")

    assert step.post() == 0

    assert "The keeper of the lease cannot be reached" in step.said("warning")
    assert job.holders() == []
    assert "| renewals | unknown |" in step.files.summary
