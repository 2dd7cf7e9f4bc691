"""`mode: hold`: the step itself renews the leases until it is cancelled."""

import pytest

from gcs_ci_lock.action import end_lease
from gcs_ci_lock.locking.outcome import Stopped
from gcs_ci_lock.protocol.record import LossReason
from tests.support.faults import Outage
from tests.support.memory_step import TOKEN, MemoryJob

pytestmark = pytest.mark.example


class FakeGitHub:
    """Notes the runs that it is told to cancel."""

    cancelled: list[tuple[str, str]]

    def __init__(self, **_: str) -> None:
        return

    def cancel_run(self, repository: str, run: str) -> None:
        self.cancelled.append((repository, run))


def test_a_step_holds_until_it_is_stopped(job: MemoryJob) -> None:
    step = job.step(mode="hold")
    held: list[list[str]] = []
    job.world.clock.after(60.0, lambda: held.append(job.holders()))
    job.world.clock.after(60.0, step.stop.set)

    code = step.hold()

    assert code == 0
    assert held == [["lock-1"]]
    assert job.holders() == []
    assert "renewed every 20s by this step until it is cancelled" in step.log[0]
    assert step.log[-1] == f'Released lock "prod" (fencing token {TOKEN})'
    assert job.files() == []
    assert job.engine.specs == []


@pytest.mark.parametrize(
    ("on_lost", "code", "kind"),
    [("fail", 76, "error"), ("warn", 0, "warning"), ("cancel", 76, "error")],
)
def test_a_loss_is_reported_as_the_step_asks(
    job: MemoryJob, monkeypatch: pytest.MonkeyPatch, on_lost: str, code: int, kind: str
) -> None:
    FakeGitHub.cancelled = []
    monkeypatch.setattr(end_lease, "GitHubClient", FakeGitHub)
    step = job.step(mode="hold", on_lost=on_lost)

    # Its thread waits by the real clock: in this world nothing is renewed.
    assert step.hold() == code

    assert f'lease on lock "prod" lost: token {TOKEN} could not be renewed' in step.said(kind)
    assert job.record().history[-1].loss is LossReason.RENEWAL_OVERDUE
    assert FakeGitHub.cancelled == ([("acme/api", "8123")] if on_lost == "cancel" else [])
    # It is left to the post stage, which reports it too.
    assert len(job.files()) == 1


def test_a_hold_that_is_over_is_released_and_reported(job: MemoryJob) -> None:
    step = job.step(mode="hold", max_hold="60s")

    assert step.hold() == 76

    assert f'Released lock "prod" (fencing token {TOKEN})' in step.log
    assert "max-hold (1m00s) is over" in step.said("error")
    assert job.record().history[-1].loss is LossReason.MAX_HOLD
    assert job.holders() == []
    assert job.files() == []


@pytest.mark.fault
def test_a_lock_that_cannot_be_released_fails_the_step(job: MemoryJob) -> None:
    outage = Outage()
    step = job.step(mode="hold", client=job.world.client("lock", fault=outage))

    def stop() -> None:
        outage.down = True
        step.stop.set()

    job.world.clock.after(10.0, stop)

    assert step.hold() == 69

    assert 'lock "prod" could not be released: connection refused' in step.said("error")
    assert "Its lease ends by itself, at most 2m08s after its last renewal" in step.said("error")
    # The post stage tries again.
    assert len(job.files()) == 1


def test_a_held_lock_is_not_held_twice(job: MemoryJob) -> None:
    job.world.client("holder", ttl=600).hold()
    step = job.step(mode="hold", wait="10s")

    assert step.hold() == 75
    assert 'could not acquire lock "prod"' in step.said("error")


def test_a_stop_during_the_wait_ends_it(job: MemoryJob) -> None:
    job.world.client("holder", ttl=600).hold()
    step = job.step(mode="hold")
    job.world.clock.after(20.0, step.stop.set)

    assert isinstance(step.hold(), Stopped)
