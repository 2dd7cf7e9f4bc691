"""The keeper beside a job, in real containers started as the runner starts them."""

import json
import os
import re
import shutil
import signal
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gcs_ci_lock import Lock, NotAcquired
from gcs_ci_lock.dry_run.emulator import EmbeddedServer
from gcs_ci_lock.system.clock import SystemClock
from tests.support.bucket import TestBucket
from tests.support.container_step import RUNNER_LABEL, ContainerStep, gone, keepers
from tests.support.docker import IMAGE, docker, inspect
from tests.support.fake_github import FakeGitHub
from tests.support.runner import ended

pytestmark = [pytest.mark.end_to_end, pytest.mark.usefixtures("image")]

CLOCK = SystemClock()
CANARY = "canary-7f3a"
# Two thirds of the ttl.
GIVE_UP = 20.0
SILENCE = re.compile(r"could not be renewed for ([0-9]+)s; the limit is 20s")


@pytest.fixture(autouse=True)
def _no_keeper_is_left() -> Iterator[None]:
    yield
    left = keepers()
    if left:
        docker("rm", "-f", *left)


def step_of(bucket: TestBucket, folder: Path, **inputs: str) -> ContainerStep:
    given = {"name": "prod", "bucket": bucket.uri, "endpoint": bucket.endpoint, "ttl": "30s"}
    named = {key.replace("_", "-"): value for key, value in inputs.items()}
    return ContainerStep(folder, {**given, **named})


def another(step: ContainerStep, action: str, /, **inputs: str) -> ContainerStep:
    """Return another step of the same job."""
    named = {key.replace("_", "-"): value for key, value in inputs.items()}
    return ContainerStep(step.folder, {**step.inputs, **named}, name=action)


def acquired(step: ContainerStep) -> ContainerStep:
    main = step.main()
    assert main.exit_code == 0, main
    return step


def held_by_another(bucket: TestBucket) -> bool:
    """Try to take the lock; tell whether that was refused."""
    try:
        Lock("prod", bucket=bucket.uri, endpoint=bucket.endpoint).acquire("0").release()
    except NotAcquired:
        return True
    return False


def test_the_summary_and_the_log_tell_how_it_was(bucket: TestBucket, tmp_path: Path) -> None:
    step = acquired(step_of(bucket, tmp_path))

    post = step.post()

    assert post.exit_code == 0, post
    assert "| outcome | released |" in step.summary
    # More than one if the machine is busy for longer than a renewal interval.
    assert re.search(r"\| renewals \| [1-9] \|", step.summary)
    assert "| missed renewals | 0 |" in step.summary
    names = [command.name for command in post.commands]
    assert names == ["group", "endgroup"]
    assert 'Renewing lock "prod"' in post.log
    assert keepers() == []


def came_about(condition: Callable[[], bool], within: float = 40.0) -> tuple[float, float]:
    """Wait until something is the case; return between which moments it came to be so."""
    until = CLOCK.boottime() + within
    not_yet = asked = CLOCK.boottime()
    while not condition():
        assert CLOCK.boottime() < until, "it did not come about in time"
        not_yet = asked
        CLOCK.sleep(0.05)
        asked = CLOCK.boottime()
    return not_yet, CLOCK.boottime()


def from_signal_to_end(container: str, since: float) -> float:
    """Return how long a container that was told to stop has lived, by the engine's clock."""
    until = datetime.now(UTC).timestamp()
    said = docker(
        *("events", "--since", f"{since:.3f}", "--until", f"{until:.3f}"),
        *("--filter", f"container={container}", "--format", "{{json .}}"),
    )
    at = {one["Action"]: one["timeNano"] / 1e9 for one in map(json.loads, said.splitlines())}
    return float(at["die"] - at["kill"])


def beat_of(bucket: TestBucket) -> int:
    return int(bucket.record("prod")["holders"][0]["beat"])


def test_an_outage_of_half_of_give_up_is_no_loss_and_a_longer_one_is_told_in_time(
    server: EmbeddedServer, bucket: TestBucket, tmp_path: Path
) -> None:
    step = acquired(step_of(bucket, tmp_path))
    os.kill(server.pid, signal.SIGSTOP)
    CLOCK.sleep(GIVE_UP / 2)
    os.kill(server.pid, signal.SIGCONT)
    check = another(step, "check", mode="check")

    survived = check.main()
    beat = beat_of(bucket)
    before_beat, _ = came_about(lambda: beat_of(bucket) > beat)
    os.kill(server.pid, signal.SIGSTOP)
    _, after_loss = came_about(lambda: '"phase": "lost"' in docker("logs", step.keeper))
    silence = SILENCE.search(docker("logs", step.keeper))
    os.kill(server.pid, signal.SIGCONT)
    beat = beat_of(bucket)
    failed = check.main()
    CLOCK.sleep(6.0)

    assert survived.exit_code == 0, survived
    # Within a second of give-up, by the keeper's own clock; it tells whole seconds.
    assert silence is not None
    assert GIVE_UP <= float(silence[1]) <= GIVE_UP + 1.0
    assert after_loss - before_beat > GIVE_UP - 1.0
    # A beat that was on its way may have landed; after that there is none.
    assert beat_of(bucket) <= beat + 1
    assert failed.exit_code == 76, failed
    assert "could not be renewed" in failed.said("error")
    post = step.post()
    assert post.exit_code == 76
    assert "could not be renewed" in post.said("error")
    assert not held_by_another(bucket)


def test_a_loss_cancels_the_run_where_that_is_wanted(bucket: TestBucket, tmp_path: Path) -> None:
    with FakeGitHub() as github:
        step = step_of(bucket, tmp_path, on_lost="cancel", github_token=CANARY)
        step.environ["GITHUB_API_URL"] = github.url
        acquired(step)

        bucket.delete_record("prod")
        bucket.until(lambda: github.posted != [])
        check = another(step, "check", mode="check").main()
        post = step.post()

    assert github.posted == ["/repos/acme/api/actions/runs/8123/cancel"]
    for stage in (check, post):
        assert stage.exit_code == 76
        assert "somebody deleted or replaced" in stage.said("error")
    assert "Cancelling the run" in post.log
    assert keepers() == []


def test_the_post_step_ends_twice_in_the_same_way(bucket: TestBucket, tmp_path: Path) -> None:
    step = acquired(step_of(bucket, tmp_path))

    first, second = step.post(), step.post()

    assert (first.exit_code, second.exit_code) == (0, 0)
    assert 'Released lock "prod"' in first.log
    assert 'Released lock "prod"' in second.log
    assert len(bucket.record("prod")["history"]) == 1


def test_a_keeper_that_is_killed_is_a_loss_that_nobody_can_overlook(
    bucket: TestBucket, tmp_path: Path
) -> None:
    step = acquired(step_of(bucket, tmp_path))
    check = another(step, "check", mode="check")
    began = CLOCK.boottime()
    before = check.main()
    checking = CLOCK.boottime() - began
    (holder,) = bucket.record("prod")["holders"]

    docker("kill", step.keeper)
    killed_at = CLOCK.boottime()
    after = check.main()
    told_within = CLOCK.boottime() - killed_at
    with Lock("prod", bucket=bucket.uri, endpoint=bucket.endpoint).acquire("60s"):
        waited = CLOCK.boottime() - killed_at
        post = step.post()
        again = step.post()

    assert before.exit_code == 0, before
    assert "is held: fencing token" in before.log
    assert after.exit_code == 76
    assert "its keeper is gone" in after.said("error")
    # At once: a check takes what it takes on this machine, and not the rest of the ttl.
    assert told_within < 3 * checking + 3
    expired, next_one = bucket.record("prod")["history"]
    assert (expired["outcome"], expired["lease"]) == ("expired", holder["lease"])
    assert waited > 30 - 6
    # By the server's own clock.
    assert 0 <= next_one["granted_at"] - expired["ended_at"] < 6
    for stage in (post, again):
        assert stage.exit_code == 76
        assert "expired" in stage.said("error")
        assert "The lock is now held by root on " in stage.said("error")


def test_a_killed_keepers_lease_that_still_stands_is_released_and_told_as_lost_twice(
    bucket: TestBucket, tmp_path: Path
) -> None:
    step = acquired(step_of(bucket, tmp_path))
    docker("kill", step.keeper)

    first, second = step.post(), step.post()

    for stage in (first, second):
        assert stage.exit_code == 76
        assert "its keeper is gone" in stage.said("error")
    assert not held_by_another(bucket)


def test_a_keeper_that_somebody_stops_is_a_loss_to_post(bucket: TestBucket, tmp_path: Path) -> None:
    step = acquired(step_of(bucket, tmp_path))

    docker("stop", step.keeper)
    free = not held_by_another(bucket)
    post = step.post()

    assert free
    assert post.exit_code == 76, post
    assert "its keeper was stopped" in post.said("error")


def test_an_early_release_hides_no_loss(bucket: TestBucket, tmp_path: Path) -> None:
    step = acquired(step_of(bucket, tmp_path))
    docker("kill", step.keeper)

    release = another(step, "release", mode="release").main()
    post = step.post()

    for stage in (release, post):
        assert stage.exit_code == 76
        assert "its keeper is gone" in stage.said("error")
    assert not held_by_another(bucket)


def test_a_keeper_that_was_made_and_never_started_is_removed(
    bucket: TestBucket, tmp_path: Path
) -> None:
    step = acquired(step_of(bucket, tmp_path))
    docker("rm", "--force", step.keeper)
    label = f"gcs-ci-lock.lease={step.outputs['lease-id']}"
    named = ("--name", step.keeper, "--label", label, "--label", RUNNER_LABEL)
    docker("create", *named, IMAGE, "true")

    post = step.post()

    assert post.exit_code == 76, post
    assert keepers() == []


def test_a_step_that_takes_two_locks_has_a_keeper_for_each(
    bucket: TestBucket, tmp_path: Path
) -> None:
    step = acquired(step_of(bucket, tmp_path, name="prod\ndb"))

    check = another(step, "check", mode="check", name="").main()
    running = keepers()
    post = step.post()

    assert len(running) == 2
    assert check.log.count("is held: fencing token") == 2
    assert post.exit_code == 0, post
    assert keepers() == []
    assert [bucket.record(name)["holders"] for name in ("db", "prod")] == [[], []]


def test_the_proxies_of_a_client_configuration_are_no_variables_of_the_keeper(
    bucket: TestBucket, tmp_path: Path
) -> None:
    step = step_of(bucket, tmp_path)
    proxies = {"default": {"ftpProxy": f"http://user:{CANARY}@proxy.example"}}
    (tmp_path / "workflow" / "config.json").write_text(json.dumps({"proxies": proxies}))
    step.environ["DOCKER_CONFIG"] = "/github/workflow"

    acquired(step)

    assert CANARY not in docker("inspect", step.keeper)
    assert step.post().exit_code == 0


def test_a_keeper_that_slept_longer_than_its_lease_never_renews_it_again(
    bucket: TestBucket, tmp_path: Path
) -> None:
    step = acquired(step_of(bucket, tmp_path))
    docker("pause", step.keeper)
    CLOCK.sleep(GIVE_UP + 2.0)
    asleep = another(step, "check", mode="check").main()
    beat = beat_of(bucket)

    docker("unpause", step.keeper)
    bucket.until(lambda: '"phase": "lost"' in docker("logs", step.keeper))
    CLOCK.sleep(6.0)

    assert asleep.exit_code == 76, asleep
    assert "was not renewed in time" in asleep.said("error")
    assert beat_of(bucket) == beat
    assert step.post().exit_code == 76


def test_a_step_that_is_killed_when_its_keeper_works_is_tidied_up_by_its_post_step(
    bucket: TestBucket, tmp_path: Path
) -> None:
    step = step_of(bucket, tmp_path)
    main = step.start("entrypoint")
    bucket.until(lambda: keepers() != [])

    docker("kill", f"{step.container}-entrypoint")
    ended(main)
    post = step.post()

    assert bucket.record("prod")["holders"] == []
    assert keepers() == []
    assert post.exit_code in (0, 76), post


def test_on_lost_warn_lets_the_job_pass(bucket: TestBucket, tmp_path: Path) -> None:
    step = acquired(step_of(bucket, tmp_path, on_lost="warn"))
    docker("kill", step.keeper)

    post = step.post()

    assert post.exit_code == 0
    assert "its keeper is gone" in post.said("warning")


def test_a_job_whose_files_are_wiped_is_over(bucket: TestBucket, tmp_path: Path) -> None:
    step = acquired(step_of(bucket, tmp_path))

    shutil.rmtree(tmp_path / "workflow")
    wiped_at = datetime.now(UTC).timestamp()

    assert gone(step.keeper, within=60.0)
    (end,) = bucket.record("prod")["history"]
    # Of the clock that the server has too.
    assert end["ended_at"] - wiped_at < 5
    assert end["outcome"] == "released"
    assert end["note"] == "the runner has removed the job's files"


def test_a_job_whose_token_is_refused_three_times_is_over(
    bucket: TestBucket, tmp_path: Path
) -> None:
    with FakeGitHub() as github:
        step = step_of(bucket, tmp_path, github_token=CANARY)
        step.environ["GITHUB_API_URL"] = github.url
        acquired(step)
        bucket.until(lambda: github.asked > 0)
        github.status = 401

        assert gone(step.keeper, within=90.0)

    (end,) = bucket.record("prod")["history"]
    assert end["outcome"] == "released"
    assert "refused the job's token 3 times" in end["note"]
    assert github.tokens == {f"Bearer {CANARY}"}


def test_a_job_whose_end_cannot_be_seen_is_over_at_max_hold(
    bucket: TestBucket, tmp_path: Path
) -> None:
    step = acquired(step_of(bucket, tmp_path, max_hold="20s"))

    assert gone(step.keeper, within=90.0)
    post = step.post()

    (end,) = bucket.record("prod")["history"]
    # By the server's own clock, whose dates are whole seconds.
    assert 18 < end["ended_at"] - end["granted_at"] < 24
    assert (end["outcome"], end["note"]) == ("released", "max-hold (20s) is over")
    assert post.exit_code == 76
    assert "max-hold (20s) is over" in post.said("error")


def test_the_keeper_can_do_nothing_but_keep(bucket: TestBucket, tmp_path: Path) -> None:
    secret = f"{CANARY}-token"
    step = step_of(bucket, tmp_path, github_token=secret)
    step.environ["HTTPS_PROXY"] = f"http://user:{CANARY}-proxy@127.0.0.1:9"
    step.environ["AWS_SECRET_ACCESS_KEY"] = f"{CANARY}-other"
    main = step.main()

    seen = inspect(step.keeper)

    assert main.exit_code == 0, main
    assert CANARY not in str(seen)
    host, config = seen["HostConfig"], seen["Config"]
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert not host["Privileged"]
    assert host["ReadonlyRootfs"]
    assert "no-new-privileges:true" in host["SecurityOpt"]
    assert config["User"] == "65532:65532"
    assert host["Memory"] == host["MemorySwap"] == 128 * 1024 * 1024
    assert host["PidsLimit"] == 64
    assert host["AutoRemove"]
    assert [(m["Destination"], m["RW"]) for m in seen["Mounts"]] == [("/github/workflow", False)]
    assert seen["Image"] == inspect(IMAGE)["Id"]
    assert config["Labels"][RUNNER_LABEL] == ""
    assert config["Labels"]["gcs-ci-lock.lease"] == step.outputs["lease-id"]
    # What the image itself sets, and nothing of the job's.
    names = {one.partition("=")[0] for one in config["Env"]}
    assert names <= {"PATH", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "PIP_CERT"}
    assert f"::add-mask::{secret}" in main.log
    assert CANARY not in main.log.replace(f"::add-mask::{secret}", "")
    assert CANARY not in str(bucket.record("prod"))
    assert CANARY not in str(step.outputs) + str(step.state) + step.summary
    assert step.post().exit_code == 0


def test_a_keeper_is_found_by_its_labels_where_nothing_was_handed_on(
    bucket: TestBucket, tmp_path: Path
) -> None:
    step = acquired(step_of(bucket, tmp_path))
    other = acquired(step_of(bucket, tmp_path / "other", name="other"))
    step.hands_state_on = False
    for path in (tmp_path / "workflow").glob("gcs-ci-lock-*"):
        path.unlink()

    post = step.post()

    assert post.exit_code == 0, post
    assert "by its keeper" in post.log
    assert bucket.record("prod")["holders"] == []
    # The same step of the same run in another job: a matrix on one engine.
    assert keepers() == [other.keeper]
    assert other.post().exit_code == 0


def test_two_locks_of_one_job_are_released_each_by_its_own_post_step(
    bucket: TestBucket, tmp_path: Path
) -> None:
    first = acquired(step_of(bucket, tmp_path))
    second = acquired(another(first, "second", name="second"))

    assert second.post().exit_code == 0
    assert bucket.record("second")["holders"] == []
    assert len(bucket.record("prod")["holders"]) == 1
    assert keepers() == [first.keeper]
    assert first.post().exit_code == 0
    assert bucket.record("prod")["holders"] == []


def test_a_lock_can_be_released_before_the_job_ends(bucket: TestBucket, tmp_path: Path) -> None:
    step = acquired(step_of(bucket, tmp_path))

    release = another(step, "release", mode="release").main()
    post = step.post()

    assert release.exit_code == 0, release
    assert not held_by_another(bucket)
    assert post.exit_code == 0, post
    assert post.said("error") == post.said("warning") == ""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_waiting_step_within_two_seconds(
    bucket: TestBucket, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    step = step_of(bucket, tmp_path)
    with Lock("prod", bucket=bucket.uri, endpoint=bucket.endpoint).acquire("0"):
        waiting = step.start("entrypoint")
        bucket.until(lambda: len(bucket.tickets("prod")) == 1, within=20)

        # As the runner does: to the docker client, which hands it on.
        sent_at = datetime.now(UTC).timestamp()
        waiting.send_signal(number)
        main = ended(waiting)

        assert bucket.tickets("prod") == []
    assert main.exit_code == code, main
    # As the engine saw it: a busy machine is slow to tell the signal, and to tidy up.
    assert from_signal_to_end(f"{step.container}-entrypoint", sent_at) < 2.0
    assert keepers() == []
    assert step.post().exit_code == 0


def test_a_waiting_step_whose_job_is_gone_never_claims(bucket: TestBucket, tmp_path: Path) -> None:
    step = step_of(bucket, tmp_path)
    with Lock("prod", bucket=bucket.uri, endpoint=bucket.endpoint).acquire("0"):
        waiting = step.start("entrypoint")
        bucket.until(lambda: len(bucket.tickets("prod")) == 1, within=20)

        shutil.rmtree(tmp_path / "workflow")
        main = ended(waiting)

        assert bucket.tickets("prod") == []
    assert main.exit_code != 0
    assert len(bucket.record("prod")["history"]) == 1
