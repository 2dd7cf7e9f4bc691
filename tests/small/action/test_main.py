"""The stages of the action as the runner starts them, in this process."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gcs_ci_lock.action import main, run_stage
from gcs_ci_lock.keepalive.sidecar.errors import SidecarUnavailable
from gcs_ci_lock.storage.pinned import PinnedCredentials
from tests.support.fakes import FakeStop
from tests.support.memory_step import MemoryJob, MemoryStep
from tests.support.runner import StageResult, log_commands
from tests.support.samples import CANARY

pytestmark = pytest.mark.example

Run = Callable[[MemoryStep, str], StageResult]


class FakeSignals(FakeStop):
    """The signals of a process that gets SIGTERM."""

    exit_code = 143


@pytest.fixture
def run(job: MemoryJob, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return what runs a stage of a step with the job's world in the place of this machine's."""

    def run(step: MemoryStep, stage: str = "entrypoint") -> StageResult:
        signals = FakeSignals(job.world.clock)
        step.stop = signals
        monkeypatch.setattr(main, "os", SimpleNamespace(environ=step.files.environment(stage)))

        def connect(bucket: str, **_: object) -> object:
            return step.connect(bucket)

        def open_lease(lease_ref: Any, **_: object) -> object:  # noqa: ANN401
            return step.open_lease(lease_ref, pinned=None)

        monkeypatch.setattr(main, "connect", connect)
        monkeypatch.setattr(main, "open_lease", open_lease)
        monkeypatch.setattr(main, "connect_engine", lambda *_: job.engine.connected())
        monkeypatch.setattr(main, "SystemClock", lambda: job.world.clock)
        monkeypatch.setattr(main, "SignalStop", SimpleNamespace(installed=lambda: signals))
        capsys.readouterr()
        code = run_stage(stage)
        log = capsys.readouterr().out
        return StageResult(code, log, "", log_commands(log))

    return run


def test_a_lock_is_acquired_checked_released_and_post_finds_nothing_lost(
    job: MemoryJob, run: Run
) -> None:
    acquire = job.step()

    codes = [
        run(acquire, "entrypoint").exit_code,
        run(job.step("check", mode="check"), "entrypoint").exit_code,
        run(job.step("release", mode="release"), "entrypoint").exit_code,
        run(job.step("again", mode="check"), "entrypoint").exit_code,
        run(acquire, "entrypoint-post").exit_code,
    ]

    assert codes == [0, 0, 0, 75, 0]
    assert job.holders() == []


def test_a_step_that_holds_ends_with_its_job(job: MemoryJob, run: Run) -> None:
    step = job.step(mode="hold", max_hold="10m")
    # The runner deletes the event file when the job is over.
    event = Path(step.files.environment("entrypoint")["GITHUB_EVENT_PATH"])
    job.world.clock.after(60.0, event.unlink)

    result = run(step, "entrypoint")

    assert result.exit_code == 0, result
    assert job.holders() == []


def test_a_stop_during_the_wait_is_the_exit_code_of_the_signal(job: MemoryJob, run: Run) -> None:
    job.world.client("holder", ttl=600).hold()
    step = job.step()

    def terminate() -> None:
        step.stop.set()

    job.world.clock.after(20.0, terminate)

    result = run(step, "entrypoint")

    assert result.exit_code == 143
    assert 'Stopped waiting for lock "prod"' in result.log


def test_an_error_is_one_annotation_and_its_exit_code(job: MemoryJob, run: Run) -> None:
    job.engine.trouble = SidecarUnavailable("there is no Docker socket")

    result = run(job.step(keep_alive="sidecar"), "entrypoint")

    assert result.exit_code == 2
    assert result.said("error").startswith("keep-alive: sidecar is not possible here")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("mode", "wait", 'input mode "wait" is not valid'),
        ("on_lost", "x", 'input on-lost "x" is not valid'),
        ("ttl", "1s", "ttl 1s is out of range"),
        ("bucket", "", "no bucket is given"),
    ],
)
def test_a_wrong_input_is_told_before_anything_is_done(
    job: MemoryJob, run: Run, name: str, value: str, message: str
) -> None:
    step = job.step(client=job.world.client("lock"), **{name: value})

    result = run(step, "entrypoint")

    assert result.exit_code == 2
    assert message in result.said("error")
    assert step.client.store.requests == []
    assert job.engine.specs == []


def test_what_nobody_expected_is_one_annotation_without_a_traceback(
    job: MemoryJob, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        message = "out of cheese"
        raise ZeroDivisionError(message)

    monkeypatch.setattr(main, "resolve_credentials", fail)

    result = run(job.step(), "entrypoint")

    assert result.exit_code == 1
    assert result.said("error") == (
        "gcs-ci-lock failed unexpectedly: ZeroDivisionError: out of cheese"
    )
    assert "Traceback" not in result.log


def test_secrets_are_masked_before_anything_else_is_printed(
    job: MemoryJob, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    credentials = PinnedCredentials(info={"private_key": f"{CANARY}-key"})
    monkeypatch.setattr(main, "resolve_credentials", lambda *_, **__: credentials)

    result = run(job.step(github_token=f"{CANARY}-token"), "entrypoint")

    masked = [command.data for command in result.commands if command.name == "add-mask"]
    assert masked == [f"{CANARY}-token", f"{CANARY}-key"]
    assert result.log.splitlines()[:2] == [f"::add-mask::{one}" for one in masked]
    assert CANARY not in "".join(result.log.splitlines()[2:])


def test_a_second_attempt_leaves_nothing_of_the_first(job: MemoryJob, run: Run) -> None:
    run(job.step(), "entrypoint")
    step = job.step(ttl="1s")

    result = run(step, "entrypoint")

    assert result.exit_code == 2
    assert step.state("entrypoint-post").is_known_empty


def test_credentials_that_are_given_are_used(job: MemoryJob, run: Run) -> None:
    result = run(job.step(credentials_json="{"), "entrypoint")

    assert result.exit_code == 2
    assert "credentials-json" in result.said("error")
    assert "{" not in result.said("error")
