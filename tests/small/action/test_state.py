"""What a step leaves for its post stage and for the other steps of its job."""

from dataclasses import replace
from pathlib import Path

import pytest

from gcs_ci_lock.action.state import StepState, leases_of_job
from gcs_ci_lock.errors import NotAcquired, UsageError
from gcs_ci_lock.keepalive.sidecar.messages import KeeperSpec
from tests.support.memory_step import MemoryJob
from tests.support.samples import CANARY, SPEC

pytestmark = pytest.mark.example


def spec_of(name: str = "prod", lease: str = "k3v9", *, at: float = 1e9) -> KeeperSpec:
    return SPEC.granted(replace(SPEC.lease_ref, name=name, lease=lease, granted_at=at))


def written(job: MemoryJob, *specs: KeeperSpec, step: str = "lock") -> StepState:
    """Leave leases, and return what the step's post stage sees of them."""
    state = job.step(step).state()
    for spec in specs:
        state.write(spec)
    return job.step(step).state("entrypoint-post")


def test_a_lease_is_found_in_the_state_and_its_secrets_in_its_file_alone(job: MemoryJob) -> None:
    state = written(job, SPEC)

    assert state.lease_refs() == [SPEC.lease_ref]
    assert state.keeper_spec(SPEC.lease_ref) == SPEC
    (file,) = job.files()
    assert CANARY in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    assert CANARY not in job.step().files.state["lease"]


def test_a_later_lease_of_a_lock_replaces_the_earlier_one_and_its_file(job: MemoryJob) -> None:
    asked = SPEC.granted(replace(SPEC.lease_ref, token=0))
    state = written(job, asked, SPEC, spec_of(lease="k3w1"))

    assert [ref.lease for ref in state.lease_refs()] == ["k3w1"]
    assert len(job.files()) == 1
    assert state.keeper_spec(SPEC.lease_ref) is None


def test_several_locks_stand_in_the_order_in_which_they_were_acquired(job: MemoryJob) -> None:
    state = written(job, spec_of("web", "a"), spec_of("db", "b"))

    assert [ref.name for ref in state.lease_refs()] == ["web", "db"]
    assert [ref.name for ref in state.lease_refs_in_files()] == ["db", "web"]


def test_a_lock_that_is_discarded_leaves_nothing(job: MemoryJob) -> None:
    state = job.step().state()
    state.write(spec_of("web", "a"))
    state.write(spec_of("db", "b"))

    state.discard("web")
    state.discard("never acquired")

    assert [ref.name for ref in job.step().state("entrypoint-post").lease_refs()] == ["db"]
    assert len(job.files()) == 1


def test_a_step_that_is_cleared_is_known_to_have_left_nothing(job: MemoryJob) -> None:
    state = job.step().state()
    state.write(SPEC)
    state.clear()

    after = job.step().state("entrypoint-post")

    assert after.is_known_empty
    assert after.lease_refs() == []
    assert job.files() == []


def test_a_runner_that_hands_no_state_on_leaves_the_files(job: MemoryJob) -> None:
    written(job, SPEC)
    step = job.step()
    step.files.hands_state_on = False

    state = step.state("entrypoint-post")

    assert not state.is_known_empty
    assert state.lease_refs() == [SPEC.lease_ref]


def test_two_steps_have_files_of_their_own_and_the_job_sees_both(job: MemoryJob) -> None:
    first = written(job, spec_of("web", "a", at=2e9), step="one")
    second = written(job, spec_of("db", "b", at=1e9), step="two")

    assert first.step_id != second.step_id
    assert [ref.name for ref in first.lease_refs_in_files()] == ["web"]
    assert [spec.lease_ref.name for spec in first.keeper_specs_of_job("")] == ["db", "web"]
    assert [spec.lease_ref.name for spec in first.keeper_specs_of_job("web")] == ["web"]


def test_a_lease_that_was_only_asked_for_is_not_the_jobs(job: MemoryJob) -> None:
    state = written(job, SPEC.granted(replace(SPEC.lease_ref, token=0)))

    assert state.keeper_specs_of_job("") == []
    assert len(state.lease_refs()) == 1


def test_a_lease_that_was_released_is_discarded_whichever_step_left_it(job: MemoryJob) -> None:
    written(job, SPEC, step="one")

    job.step("two").state().discard_everywhere(SPEC)

    assert job.files() == []


def test_without_an_event_file_there_is_the_state_alone(job: MemoryJob) -> None:
    step = job.step()
    state = StepState(step.github(), {})

    state.write(SPEC)
    state.discard_everywhere(SPEC)

    assert job.files() == []
    assert state.keeper_spec(SPEC.lease_ref) is None
    assert state.keeper_specs_of_job("") == []
    assert "k3v9" in step.files.state["lease"]


def test_a_folder_that_cannot_be_written_leaves_the_state(job: MemoryJob, tmp_path: Path) -> None:
    step = job.step()
    environ = {"GITHUB_EVENT_PATH": str(tmp_path / "none" / "event.json")}

    StepState(step.github(), environ).write(SPEC)

    assert job.step().state("entrypoint-post").lease_refs() == [SPEC.lease_ref]


@pytest.mark.parametrize(
    ("text", "problem"), [("{}", "is not what gcs-ci-lock wrote"), (None, "cannot be used")]
)
def test_a_damaged_file_is_refused(job: MemoryJob, text: str | None, problem: str) -> None:
    state = written(job, SPEC)
    (file,) = job.files()
    if text is None:
        file.chmod(0o644)
    else:
        file.write_text(text)

    with pytest.raises(UsageError, match=f"^the step's lease file .*{problem}"):
        state.keeper_spec(SPEC.lease_ref)
    with pytest.raises(UsageError):
        state.lease_refs_in_files()


def test_the_leases_of_a_job_are_those_that_are_named(job: MemoryJob) -> None:
    written(job, spec_of("web", "a"), spec_of("db", "b"))
    named, unnamed = job.step("x", name="web\ndb"), job.step("y", name="")

    assert [s.lease_ref.name for s in leases_of_job(named.github(), named.state())] == ["web", "db"]
    assert [s.lease_ref.name for s in leases_of_job(unnamed.github(), unnamed.state())] == [
        "db",
        "web",
    ]


def test_a_name_is_shown_without_what_a_log_would_obey(job: MemoryJob) -> None:
    step = job.step("x", name="a\x1b[31m")

    with pytest.raises(NotAcquired) as refused:
        leases_of_job(step.github(), step.state())

    assert "\x1b" not in str(refused.value)
