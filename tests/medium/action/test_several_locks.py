"""Several locks in one step, policies of the queue, and losses that nothing hides."""

import json
import signal
from pathlib import Path

import pytest

from gcs_ci_lock.report.format import iso_time
from tests.support.bucket import TestBucket
from tests.support.fake_github import FakeGitHub
from tests.support.runner import Step, ended
from tests.support.shell import until

pytestmark = pytest.mark.end_to_end


def step_of(bucket: TestBucket, folder: Path, step: str = "lock", **inputs: str) -> Step:
    named = {key.replace("_", "-"): value for key, value in inputs.items()}
    at = {"name": "prod", "bucket": bucket.uri, "endpoint": bucket.endpoint}
    return Step(folder, {**at, "keep-alive": "none", **named}, name=step)


def holders(bucket: TestBucket, name: str) -> list[str]:
    if bucket.body(name) is None:
        return []
    return [str(holder["token"]) for holder in bucket.record(name)["holders"]]


@pytest.mark.parametrize("hands_state_on", [True, False], ids=["github", "act"])
def test_a_step_takes_all_the_locks_it_names_and_post_gives_them_back_in_reverse(
    bucket: TestBucket, tmp_path: Path, *, hands_state_on: bool
) -> None:
    step = step_of(bucket, tmp_path, name="web\n  db\n\nweb")
    step.hands_state_on = hands_state_on

    main = step.main()
    tokens = step.outputs["fencing-token"].splitlines()
    held = [*holders(bucket, "db"), *holders(bucket, "web")]
    first_end = bucket.record("db")["holders"][0]["expires_at"]
    post = step.post()

    assert main.exit_code == 0, main
    assert held == tokens
    assert step.outputs["expires-at"] == iso_time(first_end)
    assert step.outputs["lock-uri"].splitlines() == [f"{bucket.uri}/db", f"{bucket.uri}/web"]
    assert len(set(step.outputs["lease-id"].splitlines())) == 2
    assert (step.outputs["acquired"], step.outputs["outcome"]) == ("true", "acquired")
    assert post.exit_code == 0, post
    assert post.log.index('Released lock "web"') < post.log.index('Released lock "db"')
    assert [*holders(bucket, "db"), *holders(bucket, "web")] == []


def test_where_one_is_not_to_be_had_none_is_held(bucket: TestBucket, tmp_path: Path) -> None:
    step_of(bucket, tmp_path / "other", name="web").main()
    step = step_of(bucket, tmp_path, name="db\nweb", wait="1s")

    main = step.main()
    post = step.post()

    assert main.exit_code == 75, main
    assert 'lock "web"' in main.said("error")
    assert step.outputs["acquired"] == "false"
    assert holders(bucket, "db") == []
    assert post.exit_code == 0, post
    assert "Nothing to release" in post.log


def test_one_of_several_can_be_released_early_and_the_others_still_checked(
    bucket: TestBucket, tmp_path: Path
) -> None:
    step = step_of(bucket, tmp_path, name="db\nweb")
    step.main()

    release = step_of(bucket, tmp_path, "early", mode="release", name="web").main()
    check = step_of(bucket, tmp_path, "check", mode="check", name="").main()
    both = step_of(bucket, tmp_path, "both", mode="check", name="db\nweb").main()
    post = step.post()

    assert (release.exit_code, check.exit_code) == (0, 0), check
    assert 'Lock "db" is held' in check.log
    assert both.exit_code == 75
    assert 'no earlier step of this job holds lock "web"' in both.said("error")
    assert post.exit_code == 0, post


def test_a_step_that_holds_keeps_several_until_it_is_cancelled(
    bucket: TestBucket, tmp_path: Path
) -> None:
    step = step_of(bucket, tmp_path, mode="hold", name="db\nweb", keep_alive="auto")
    process = step.start("entrypoint")
    until(lambda: "acquired" in step.outputs)

    held = [*holders(bucket, "db"), *holders(bucket, "web")]
    process.send_signal(signal.SIGINT)
    main = ended(process)

    assert len(held) == 2
    assert main.exit_code == 0, main
    assert [*holders(bucket, "db"), *holders(bucket, "web")] == []


@pytest.mark.parametrize("hands_state_on", [True, False], ids=["github", "act"])
def test_a_composite_action_that_is_used_twice_releases_both_its_locks(
    bucket: TestBucket, tmp_path: Path, *, hands_state_on: bool
) -> None:
    first, second = (step_of(bucket, tmp_path, name, name=name) for name in ("db", "web"))
    for step in (first, second):
        step.environ["GITHUB_ACTION"] = "__composite"
        step.hands_state_on = hands_state_on
        step.main()

    check = step_of(bucket, tmp_path, "check", mode="check", name="").main()
    posts = [second.post(), first.post()]

    assert check.exit_code == 0, check
    assert check.log.count("is held") == 2
    assert [post.exit_code for post in posts] == [0, 0]
    assert [*holders(bucket, "db"), *holders(bucket, "web")] == []


@pytest.mark.parametrize(("on_timeout", "exit_code"), [("fail", 75), ("skip", 0)])
def test_an_outdated_run_never_deploys(
    bucket: TestBucket, tmp_path: Path, on_timeout: str, exit_code: int
) -> None:
    newer = step_of(bucket, tmp_path / "newer", sequence="812")
    newer.main()
    newer.post()
    older = step_of(bucket, tmp_path, sequence="811", on_timeout=on_timeout)

    main = older.main()

    assert main.exit_code == exit_code, main
    assert (older.outputs["acquired"], older.outputs["outcome"]) == ("false", "outdated")
    said = main.said("error" if exit_code else "warning")
    assert "outdated, sequence 812 was already granted and this job has 811" in said
    assert "| outcome | outdated |" in older.summary


def test_a_newer_run_supersedes_one_that_waits(bucket: TestBucket, tmp_path: Path) -> None:
    holder = step_of(bucket, tmp_path / "holder")
    holder.environ["GITHUB_WORKFLOW"] = "other"
    holder.main()
    older = step_of(bucket, tmp_path / "older", queue="newest").start("entrypoint")
    until(lambda: len(bucket.tickets("prod")) == 1)
    newer_step = step_of(bucket, tmp_path / "newer", queue="newest")
    newer = newer_step.start("entrypoint")
    until(lambda: len(bucket.tickets("prod")) == 2)

    # Free: the newer one stands where the older one stood, and the older one never enters.
    holder.post()
    done = ended(newer)
    void = ended(older)

    assert done.exit_code == 0, done
    assert void.exit_code == 75, void
    assert "superseded by a newer run of the same job" in void.said("error")


def test_a_lease_that_ran_out_unrenewed_is_a_loss_to_post(
    bucket: TestBucket, tmp_path: Path
) -> None:
    step = step_of(bucket, tmp_path, max_hold="20s")
    step.main()

    # As if it had been claimed longer ago than it is valid for.
    record = bucket.record("prod")
    record["holders"][0]["expires_at"] -= 25
    bucket.write("prod", json.dumps(record).encode())
    post, again = step.post(), step.post()

    assert (post.exit_code, again.exit_code) == (76, 76)
    for stage in (post, again):
        assert "was not renewed in time" in stage.said("error")
    assert "| outcome | lost |" in step.summary
    assert holders(bucket, "prod") == []


@pytest.mark.parametrize(("on_lost", "exit_code", "cancelled"), [("warn", 0, 0), ("cancel", 76, 1)])
def test_on_lost_counts_where_the_step_itself_holds(
    bucket: TestBucket, tmp_path: Path, on_lost: str, exit_code: int, cancelled: int
) -> None:
    with FakeGitHub() as github:
        step = step_of(bucket, tmp_path, mode="hold", ttl="30s", on_lost=on_lost, github_token="t")
        step.environ["GITHUB_API_URL"] = github.url
        process = step.start("entrypoint")
        until(lambda: holders(bucket, "prod") != [])
        bucket.delete_record("prod")
        main = ended(process)

    assert main.exit_code == exit_code, main
    said = main.said("error" if exit_code else "warning")
    assert "somebody deleted or replaced" in said
    assert len(github.posted) == cancelled


def test_state_that_is_spoiled_does_not_keep_post_from_the_files(
    bucket: TestBucket, tmp_path: Path
) -> None:
    step = step_of(bucket, tmp_path)
    step.main()
    step.environ["STATE_lease"] = json.dumps({"schema": 1})

    post = step.post()

    assert post.exit_code == 0, post
    assert "does not describe a lease" in post.said("warning")
    assert holders(bucket, "prod") == []


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({"queue": "lifo"}, 'queue "lifo" is not valid: expected fifo or newest'),
        ({"priority": "10"}, 'priority "10" is not valid: expected an integer from 0 to 9'),
        ({"sequence": "v1"}, 'sequence "v1" is not valid'),
        ({"verify_holder": "maybe"}, 'input verify-holder "maybe" is not valid'),
        ({"name": "db\nWeb"}, 'lock name "Web" is not allowed'),
        ({"max_hold": "20h", "keep_alive": "auto"}, "No keeper can be started"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_a_wrong_input_is_told_before_anything_is_taken(
    bucket: TestBucket, tmp_path: Path, inputs: dict[str, str], words: str
) -> None:
    main = step_of(bucket, tmp_path, **inputs).main()

    assert main.exit_code == 2, main
    assert words in main.said("error")
    assert bucket.body("prod") is None
