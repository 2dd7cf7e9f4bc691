"""How the lease of a job is ended from one of its steps, and how a loss is reported."""

import pytest

from gcs_ci_lock.action import end_lease
from gcs_ci_lock.action.end_lease import LeaseEnding, end_job_lease, inspect_keeper, report_loss
from gcs_ci_lock.errors import LeaseLost, LockError, StorageUnreachable
from gcs_ci_lock.keepalive.ending import RecordReplaced
from gcs_ci_lock.keepalive.lease_ref import OnLost
from gcs_ci_lock.keepalive.sidecar.messages import KeeperStatus
from gcs_ci_lock.locking.lease import max_hold_over
from gcs_ci_lock.platforms.github_job import GitHubJob
from gcs_ci_lock.protocol.record import LossReason
from tests.support.faults import Outage
from tests.support.memory_step import MemoryJob
from tests.support.samples import LEASE_REF, SPEC

pytestmark = pytest.mark.example

LOST = LeaseLost("lease lost")
LOSS = max_hold_over(600.0)


class FakeGitHub:
    """Notes the runs that it is told to cancel, or refuses."""

    def __init__(self, trouble: LockError | None = None) -> None:
        self.cancelled: list[tuple[str, str]] = []
        self.clients: list[dict[str, str]] = []
        self._trouble = trouble

    def __call__(self, **access: str) -> "FakeGitHub":
        self.clients.append(access)
        return self

    def cancel_run(self, repository: str, run: str) -> None:
        if self._trouble is not None:
            raise self._trouble
        self.cancelled.append((repository, run))


def test_a_loss_fails_the_step(job: MemoryJob) -> None:
    step = job.step()

    code = report_loss(step.github(), LOST, on_lost="fail", job=SPEC.job, cancelled=False)

    assert code == 76
    assert step.said("error") == "lease lost"


def test_a_loss_may_be_only_a_warning(job: MemoryJob) -> None:
    step = job.step()

    code = report_loss(step.github(), LOST, on_lost="warn", job=SPEC.job, cancelled=False)

    assert code == 0
    assert step.said("warning") == "lease lost"
    assert step.said("error") == ""


@pytest.mark.parametrize(
    ("on_lost", "github_job", "cancelled", "asked"),
    [
        ("cancel", SPEC.job, False, 1),
        ("cancel", SPEC.job, True, 0),
        ("cancel", None, False, 0),
        ("fail", SPEC.job, False, 0),
        ("warn", SPEC.job, False, 0),
    ],
)
def test_the_run_is_cancelled_once_and_only_where_that_is_asked_for(
    job: MemoryJob,
    monkeypatch: pytest.MonkeyPatch,
    on_lost: OnLost,
    github_job: GitHubJob | None,
    *,
    cancelled: bool,
    asked: int,
) -> None:
    github = FakeGitHub()
    monkeypatch.setattr(end_lease, "GitHubClient", github)

    report_loss(job.step().github(), LOST, on_lost=on_lost, job=github_job, cancelled=cancelled)

    assert github.cancelled == [("acme/api", "8123")] * asked
    assert len(github.clients) == asked


def test_a_run_that_cannot_be_cancelled_is_a_warning(
    job: MemoryJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(end_lease, "GitHubClient", FakeGitHub(LockError("403: no")))
    step = job.step()

    code = report_loss(step.github(), LOST, on_lost="cancel", job=SPEC.job, cancelled=False)

    assert code == 76
    assert step.said("warning") == "403: no"


def test_only_a_sidecar_has_a_keeper_that_can_be_inspected(job: MemoryJob) -> None:
    step = job.step()

    assert inspect_keeper(step.github(), LEASE_REF, engine=job.engine.connected) == (None, None)


def test_a_lease_that_was_never_granted_needs_no_keeper(job: MemoryJob) -> None:
    asked = SPEC.lease_ref.from_json(
        SPEC.lease_ref.to_json().replace('"token": 41', '"token": 0'), source="x"
    )

    container, loss = inspect_keeper(job.step().github(), asked, engine=job.engine.connected)

    assert (container, loss) == (None, None)


def test_an_ending_says_whose_loss_it_was() -> None:
    lost = LeaseEnding(loss=LOSS, status=KeeperStatus(phase="lost"))
    replaced = LeaseEnding(loss=RecordReplaced(lost=LOSS), status=KeeperStatus(phase="released"))
    fine = LeaseEnding(loss=None)

    assert 'lock "prod" lost: max-hold' in str(lost.loss_of(LEASE_REF))
    assert 'lock "prod" lost: max-hold' in str(replaced.loss_of(LEASE_REF))
    assert fine.loss_of(LEASE_REF) is None
    assert [one.run_cancelled for one in (lost, replaced, fine)] == [True, False, False]


@pytest.mark.fault
def test_a_keeper_is_stopped_although_the_server_is_down(job: MemoryJob) -> None:
    outage = Outage()
    acquire = job.step()
    acquire.acquire()
    (spec,) = job.engine.specs
    outage.down = True
    step = job.step("post", client=job.world.client("post", fault=outage))

    ending = end_job_lease(
        step.github(),
        spec.lease_ref,
        spec,
        engine=job.engine.connected,
        open_lease=step.open_lease,
    )

    assert isinstance(ending.error, StorageUnreachable)
    assert ending.loss is None
    assert ending.status is not None
    assert job.engine.journal == ["stop lock-1"]


def test_the_history_notes_a_loss_that_only_the_time_shows(job: MemoryJob) -> None:
    acquire = job.step()
    acquire.acquire()
    (spec,) = job.engine.specs
    job.world.clock.sleep(101.0)
    step = job.step("post")

    ending = end_job_lease(
        step.github(),
        spec.lease_ref,
        spec,
        engine=job.engine.connected,
        open_lease=step.open_lease,
    )

    assert ending.loss is not None
    assert job.record().history[-1].loss is LossReason.RENEWAL_OVERDUE
    assert ending.held == pytest.approx(101.0, abs=3.0)
