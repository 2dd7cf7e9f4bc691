"""The inputs of a step, read once."""

from pathlib import Path

import pytest

from gcs_ci_lock.action.inputs import MODES, ActionInputs, choice, lock_names
from gcs_ci_lock.errors import UsageError
from gcs_ci_lock.platforms.github import GitHubStep
from gcs_ci_lock.platforms.verifier import NoVerifier
from tests.support.fakes import FakeClock
from tests.support.memory_step import MemoryJob

pytestmark = pytest.mark.example


def step_with(**inputs: str) -> GitHubStep:
    environ = {f"INPUT_{key.upper().replace('_', '-')}": value for key, value in inputs.items()}
    return GitHubStep(environ, write=lambda _: None, delimiter=lambda: "word")


def inputs_with(**inputs: str) -> ActionInputs:
    return ActionInputs.of(step_with(**inputs), {})


def test_the_first_choice_is_the_default() -> None:
    inputs = inputs_with()

    assert (inputs.on_timeout, inputs.on_lost, inputs.keep_alive) == ("fail", "fail", "auto")
    assert inputs.verify_holder
    assert choice(step_with(), "mode", MODES) == "acquire"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("on_timeout", value) for value in ("fail", "skip")),
        *(("on_lost", value) for value in ("fail", "cancel", "warn")),
        *(("keep_alive", value) for value in ("auto", "sidecar", "none")),
    ],
)
def test_each_choice_is_taken_trimmed(name: str, value: str) -> None:
    assert getattr(inputs_with(**{name: f" {value}\n"}), name) == value


@pytest.mark.parametrize("name", ["on-timeout", "on-lost", "keep-alive", "verify-holder"])
def test_another_word_is_refused_with_the_choices(name: str) -> None:
    with pytest.raises(UsageError) as refused:
        inputs_with(**{name.replace("-", "_"): "maybe\n::error::x"})

    message = str(refused.value)
    assert message.startswith(f'input {name} "maybe')
    assert " or " in message
    assert "\n" not in message


def test_a_mode_is_one_of_four() -> None:
    with pytest.raises(UsageError, match="expected acquire or hold or check or release"):
        choice(step_with(mode="wait"), "mode", MODES)


def test_names_stand_one_a_line() -> None:
    assert lock_names(step_with(name=" db \n\n\tweb\n")) == ["db", "web"]
    assert lock_names(step_with(name="  ")) == []


def test_the_lock_is_asked_for_as_the_inputs_say() -> None:
    inputs = inputs_with(
        name="web\ndb",
        bucket="gs://acme-locks/prefix",
        slots="2",
        wait="5m",
        ttl="1m",
        max_hold="1h",
        queue="newest",
        priority="7",
        sequence="42",
        reason="release 4.2",
    )

    db, web = inputs.requests(renewed=True)

    assert (db.paths.name, web.paths.name) == ("db", "web")
    assert db.paths.uri == "gs://acme-locks/prefix/db"
    assert (db.slots, db.wait, db.timing.ttl, db.max_hold) == (2, 300.0, 60.0, 3600.0)
    assert (db.newest, db.priority, db.sequence) == (True, 7, 42)
    assert db.owner.reason == "release 4.2"


def test_what_is_not_set_has_the_defaults_of_the_command_line() -> None:
    (request,) = inputs_with(name="db", bucket="acme-locks").requests(renewed=True)

    assert (request.slots, request.wait, request.timing.ttl) == (1, 1800.0, 120.0)
    assert (request.max_hold, request.newest, request.priority) == (21_600.0, False, 5)
    assert request.sequence is None
    assert request.paths.uri == "gs://acme-locks/locks/db"


def test_without_renewal_a_lease_lasts_half_as_long_again_as_it_is_held() -> None:
    (request,) = inputs_with(name="db", bucket="b-1", max_hold="10m").requests(renewed=False)

    assert request.timing.ttl == 900.0
    assert request.timing.renew_every is None


@pytest.mark.parametrize(
    ("name", "value"),
    [("name", "../x"), ("bucket", ""), ("slots", "0"), ("wait", "soon"), ("ttl", "1s")],
)
def test_a_wrong_input_is_named(name: str, value: str) -> None:
    inputs = inputs_with(**{"name": "db", "bucket": "acme-locks", name: value})

    with pytest.raises(UsageError, match=name):
        inputs.requests(renewed=True)


def test_the_job_is_known_by_what_the_runner_says(tmp_path: Path) -> None:
    step = MemoryJob(tmp_path).step(github_token="t0ken", endpoint="http://127.0.0.1:1")
    environ = step.files.environment("entrypoint") | {
        "GITHUB_API_URL": "https://api.test",
        "HTTPS_PROXY": "http://a",
        "no_proxy": "b",
        "PROXY": "c",
    }

    inputs = ActionInputs.of(GitHubStep(environ, write=print, delimiter=str), environ)

    assert inputs.endpoint == "http://127.0.0.1:1"
    assert inputs.job.event_path == environ["GITHUB_EVENT_PATH"]
    assert (inputs.job.repository, inputs.job.run_id) == ("acme/api", "8123")
    assert (inputs.job.api_url, inputs.job.token) == ("https://api.test", "t0ken")
    assert inputs.proxies == {"HTTPS_PROXY": "http://a", "no_proxy": "b"}
    assert "t0ken" not in repr(inputs.job)


@pytest.mark.parametrize("verify", ["true", "false"])
def test_holders_are_verified_unless_that_is_turned_off(verify: str) -> None:
    verifier = inputs_with(verify_holder=verify, github_token="t0ken").verifier({}, FakeClock())

    assert isinstance(verifier, NoVerifier) == (verify == "false")
