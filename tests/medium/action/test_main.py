"""The two stages of the action as processes, against a real storage server."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.bucket import TestBucket
from tests.support.mermaid import gantt_tasks, mermaid_fences
from tests.support.runner import ENTRY, Step, ended

pytestmark = pytest.mark.end_to_end


def step_of(bucket: TestBucket, folder: Path, **inputs: str) -> Step:
    named = {key.replace("_", "-"): value for key, value in inputs.items()}
    return Step(
        folder,
        {"name": "prod", "bucket": bucket.uri, "endpoint": bucket.endpoint, **named},
    )


def test_main_takes_the_lock_and_post_gives_it_back(bucket: TestBucket, tmp_path: Path) -> None:
    step = step_of(bucket, tmp_path, max_hold="10m", reason="release 4.2")

    main = step.main()
    held = bucket.record("prod")
    post = step.post()

    assert main.exit_code == 0, main
    (holder,) = held["holders"]
    assert step.outputs["acquired"] == "true"
    assert step.outputs["outcome"] == "acquired"
    assert step.outputs["fencing-token"] == str(holder["token"])
    assert step.outputs["lease-id"] == holder["lease"]
    assert step.outputs["lock-uri"] == f"{bucket.uri}/prod"
    # What the record tells of it: 0 where nothing else slows the claim.
    waited = holder["granted_at"] - holder["asked_at"]
    assert abs(int(step.outputs["waited-seconds"]) - waited) <= 1.5
    assert step.outputs["took-over"] == "false"
    # Valid for max-hold, so half as long again.
    assert holder["ttl"] == 900
    assert holder["owner"]["reason"] == "release 4.2"
    assert "keep-alive: none" in main.said("warning")
    assert main.said("error") == ""
    assert f"`{bucket.uri}/prod`" not in step.summary
    assert "| outcome | acquired |" in step.summary
    assert post.exit_code == 0
    assert 'Released lock "prod"' in post.log
    assert bucket.record("prod")["holders"] == []


def test_the_page_of_the_run_shows_the_last_holds(bucket: TestBucket, tmp_path: Path) -> None:
    first = step_of(bucket, tmp_path / "a")
    first.main()
    first.post()
    second = step_of(bucket, tmp_path / "b")

    second.main()

    assert mermaid_fences(first.summary) == []
    (chart,) = mermaid_fences(second.summary)
    (task,) = gantt_tasks(chart)
    assert (task.section, task.look) == ("ended", "done")
    assert task.label.startswith(first.outputs["fencing-token"])


def test_post_finds_the_lease_where_the_runner_hands_no_state_on(
    bucket: TestBucket, tmp_path: Path
) -> None:
    step = step_of(bucket, tmp_path)
    step.hands_state_on = False

    step.main()
    post = step.post()

    assert post.exit_code == 0
    assert bucket.record("prod")["holders"] == []
    assert bucket.record("prod")["history"][-1]["outcome"] == "released"


def test_post_releases_its_own_lease_whatever_the_inputs_say_by_then(
    bucket: TestBucket, tmp_path: Path
) -> None:
    # Inside a composite action, post may see another step's inputs.
    step = step_of(bucket, tmp_path)
    step.main()

    step.inputs = {"name": "other", "bucket": "other-bucket", "endpoint": ""}
    post = step.post()

    assert post.exit_code == 0
    assert bucket.record("prod")["holders"] == []


def test_two_steps_of_one_job_release_each_its_own(bucket: TestBucket, tmp_path: Path) -> None:
    first = step_of(bucket, tmp_path)
    second = step_of(bucket, tmp_path)
    second.name, second.inputs = "lock-2", {**second.inputs, "name": "staging"}
    for step in (first, second):
        step.hands_state_on = False
        step.main()

    second.post()

    assert bucket.record("staging")["holders"] == []
    assert len(bucket.record("prod")["holders"]) == 1


def test_post_without_anything_to_release_is_quiet_and_green(
    bucket: TestBucket, tmp_path: Path
) -> None:
    post = step_of(bucket, tmp_path).post()

    assert (post.exit_code, post.commands) == (0, [])
    assert "Nothing to release" in post.log


def test_post_leaves_a_lock_alone_that_is_no_longer_its_own(
    bucket: TestBucket, tmp_path: Path
) -> None:
    step = step_of(bucket, tmp_path / "a")
    step.main()
    bucket.delete_record("prod")
    other = step_of(bucket, tmp_path / "b")
    other.main()

    post = step.post()

    assert post.exit_code == 0
    assert 'lease on lock "prod" lost' in post.said("warning")
    assert bucket.record("prod")["holders"][0]["lease"] == other.outputs["lease-id"]


def test_a_held_lock_fails_the_step_and_names_the_holder(
    bucket: TestBucket, tmp_path: Path
) -> None:
    step_of(bucket, tmp_path / "a", reason="release 4.2").main()
    late = step_of(bucket, tmp_path / "b", wait="0")

    main = late.main()
    post = late.post()

    assert main.exit_code == 75
    assert "acme/api > deploy > deploy (alice)" in main.said("error")
    assert "release 4.2" in main.said("error")
    assert late.outputs["acquired"] == "false"
    assert late.outputs["outcome"] == "timeout"
    assert (post.exit_code, post.commands) == (0, [])
    assert bucket.tickets("prod") == []


def test_a_held_lock_can_be_skipped(bucket: TestBucket, tmp_path: Path) -> None:
    step_of(bucket, tmp_path / "a").main()
    late = step_of(bucket, tmp_path / "b", wait="0", on_timeout="skip")

    main = late.main()

    assert main.exit_code == 0
    assert late.outputs["acquired"] == "false"
    assert "acme/api" in main.said("warning")


def test_a_job_that_is_cancelled_while_it_waits_leaves_nothing_behind(
    bucket: TestBucket, tmp_path: Path
) -> None:
    step_of(bucket, tmp_path / "a").main()
    waiting = step_of(bucket, tmp_path / "b")
    process = waiting.start("entrypoint")
    bucket.until(lambda: len(bucket.tickets("prod")) == 1)

    process.send_signal(signal.SIGINT)
    main = ended(process)
    post = waiting.post()

    assert main.exit_code == 130, main
    assert bucket.tickets("prod") == []
    assert len(bucket.record("prod")["holders"]) == 1
    assert (post.exit_code, post.commands) == (0, [])


def test_post_cleans_up_after_a_main_that_was_killed_while_it_waited(
    bucket: TestBucket, tmp_path: Path
) -> None:
    step_of(bucket, tmp_path / "a").main()
    waiting = step_of(bucket, tmp_path / "b")
    process = waiting.start("entrypoint")
    bucket.until(lambda: len(bucket.tickets("prod")) == 1)

    process.kill()
    ended(process)
    post = waiting.post()

    assert post.exit_code == 0
    assert bucket.tickets("prod") == []
    assert len(bucket.record("prod")["holders"]) == 1


@pytest.mark.parametrize(
    ("inputs", "exit_code", "words"),
    [
        ({"bucket": ""}, 2, "no bucket is given"),
        ({"name": "../x"}, 2, 'lock name "../x"'),
        ({"name": ""}, 2, "lock name"),
        ({"slots": "0"}, 2, 'slots "0"'),
        ({"wait": "soon"}, 2, 'wait "soon"'),
        ({"ttl": "3s"}, 2, "ttl 3s"),
        ({"max-hold": "3 days"}, 2, 'max-hold "3 days"'),
        ({"on-timeout": "explode"}, 2, 'on-timeout "explode"'),
        ({"keep-alive": "daemon"}, 2, 'keep-alive "daemon"'),
        ({"keep-alive": "sidecar"}, 2, "there is no Docker socket"),
        ({"on-lost": "panic"}, 2, 'on-lost "panic"'),
        ({"mode": "steal"}, 2, 'mode "steal"'),
        ({"endpoint": "http://192.0.2.1"}, 2, "plain http"),
        ({"bucket": "no-such-bucket-x"}, 2, "does not exist"),
        ({"name": "::error::x\n##[add-mask]y"}, 2, "lock name"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_wrong_input_fails_the_step_with_one_clear_error(
    bucket: TestBucket, tmp_path: Path, inputs: dict[str, str], exit_code: int, words: str
) -> None:
    step = step_of(bucket, tmp_path)
    step.inputs = {**step.inputs, **inputs}

    main = step.main()

    assert main.exit_code == exit_code, main
    (error,) = main.commands
    assert error.name == "error"
    assert words in error.data
    assert main.stderr == ""


def test_text_of_another_job_cannot_speak_to_the_runner(bucket: TestBucket, tmp_path: Path) -> None:
    evil = "x\r\n::set-output name=acquired::true\n##[error]y | `z` <img src=x> www.evil.example"
    first = step_of(bucket, tmp_path / "a", reason=evil)
    first.environ = {"GITHUB_ACTOR": evil, "GITHUB_WORKFLOW": evil, "GITHUB_JOB": evil}
    first.main()
    late = step_of(bucket, tmp_path / "b", wait="0")

    main = late.main()

    assert [c.name for c in main.commands] == ["error"]
    assert late.outputs["acquired"] == "false"
    rows = late.summary.splitlines()
    assert all(row.count("|") == 3 for row in rows if row.startswith("| "))
    assert not any("<img" in row.split("`")[0] for row in rows)
    (chart,) = mermaid_fences(late.summary)
    assert [task.look for task in gantt_tasks(chart)] == ["active"]


def test_damaged_state_without_a_file_is_an_error_and_touches_nothing(
    bucket: TestBucket, tmp_path: Path
) -> None:
    step = step_of(bucket, tmp_path)
    step.main()
    before = bucket.record("prod")

    step.environ = {"STATE_lease": json.dumps({"schema": 1, "bucket": "../x"})}
    for left in (tmp_path / "workflow").glob("gcs-ci-lock-*"):
        left.unlink()
    post = step.post()

    assert post.exit_code == 2
    assert "does not describe a lease" in post.said("error")
    assert bucket.record("prod") == before


def test_post_is_green_where_main_was_refused_before_it_took_anything(
    bucket: TestBucket, tmp_path: Path
) -> None:
    step = step_of(bucket, tmp_path)
    step.inputs = {**step.inputs, "bucket": "no-such-bucket-x"}

    main = step.main()
    post = step.post()

    assert main.exit_code == 2
    assert (post.exit_code, post.commands) == (0, [])


def test_a_log_that_cannot_be_written_does_not_fail_the_step(
    bucket: TestBucket, tmp_path: Path
) -> None:
    step = step_of(bucket, tmp_path)
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", ENTRY, "entrypoint"],
            env=step.environment("entrypoint"),
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=full,
            timeout=60,
            check=False,
        )

    assert done.returncode == 0
    assert step.outputs["acquired"] == "true"
    assert step.post().exit_code == 0
    assert bucket.record("prod")["holders"] == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_step_that_holds_keeps_the_lock_until_it_is_cancelled(
    bucket: TestBucket, tmp_path: Path, number: signal.Signals
) -> None:
    step = step_of(bucket, tmp_path, mode="hold", ttl="30s")
    process = step.start("entrypoint")
    bucket.until(lambda: "acquired" in step.outputs)
    check = Step(tmp_path, {**step.inputs, "mode": "check"}, name="check").main()

    process.send_signal(number)
    main = ended(process)
    post = step.post()

    assert check.exit_code == 0, check
    assert main.exit_code == 0, main
    assert "renewed every 5s by this step until it is cancelled" in main.log
    (end,) = bucket.record("prod")["history"]
    assert end["outcome"] == "released"
    assert post.exit_code == 0, post


def test_a_step_that_holds_fails_when_its_lease_is_taken_away(
    bucket: TestBucket, tmp_path: Path
) -> None:
    step = step_of(bucket, tmp_path, mode="hold", ttl="30s")
    process = step.start("entrypoint")
    bucket.until(lambda: "acquired" in step.outputs)

    bucket.delete_record("prod")
    main = ended(process)

    assert main.exit_code == 76, main
    assert "somebody deleted or replaced" in main.said("error")


@pytest.mark.parametrize("mode", ["check", "release"])
def test_a_step_that_finds_no_lease_of_its_job_says_so(
    bucket: TestBucket, tmp_path: Path, mode: str
) -> None:
    step = step_of(bucket, tmp_path, mode=mode)

    main = step.main()

    assert main.exit_code == 75, main
    assert 'no earlier step of this job holds lock "prod"' in main.said("error")


def test_a_lease_without_a_keeper_can_be_checked_and_released_early(
    bucket: TestBucket, tmp_path: Path
) -> None:
    step = step_of(bucket, tmp_path, keep_alive="none")
    step.main()

    check = Step(tmp_path, {**step.inputs, "mode": "check"}, name="check").main()
    release = Step(tmp_path, {**step.inputs, "mode": "release"}, name="release").main()
    again = Step(tmp_path, {**step.inputs, "mode": "check"}, name="again").main()
    post = step.post()

    assert (check.exit_code, release.exit_code) == (0, 0)
    assert bucket.record("prod")["holders"] == []
    assert again.exit_code == 75
    assert post.exit_code == 0, post


def test_post_releases_although_somebody_has_spoiled_its_file(
    bucket: TestBucket, tmp_path: Path
) -> None:
    step = step_of(bucket, tmp_path)
    step.main()
    (left,) = (tmp_path / "workflow").glob("gcs-ci-lock-*")
    left.chmod(0o644)

    post = step.post()

    assert post.exit_code == 0, post
    assert "is readable by others" in post.said("warning")
    assert bucket.record("prod")["holders"] == []


def test_a_lease_that_stands_only_in_a_spoiled_file_is_refused(
    bucket: TestBucket, tmp_path: Path
) -> None:
    step = step_of(bucket, tmp_path)
    step.hands_state_on = False
    step.main()
    (left,) = (tmp_path / "workflow").glob("gcs-ci-lock-*")
    left.write_text('{"schema": 1}')

    post = step.post()

    assert post.exit_code == 2, post
    assert "is not what gcs-ci-lock wrote" in post.said("error")
