"""The workflow of the README in real containers: act is the runner."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gcs_ci_lock import Lock, NotAcquired
from gcs_ci_lock.system.clock import SystemClock
from tests.support.act import Checkout, Run, deploy_workflow, example
from tests.support.bucket import TestBucket
from tests.support.docker import docker

pytestmark = [pytest.mark.end_to_end, pytest.mark.usefixtures("image")]

LOCK = "acme/api/prod"
# Whoever finds somebody inside says so; the tokens are in the order in which they came.
DEPLOY = """#!/bin/sh
mkdir /shared/inside || echo "somebody is inside" >> /shared/overlaps
echo "$FENCING_TOKEN" >> /shared/tokens
sleep 3
rmdir /shared/inside
"""


@pytest.fixture
def runs() -> Iterator[list[Run]]:
    """Runs that are over when the test is, with their containers."""
    runs: list[Run] = []
    yield runs
    for run in runs:
        run.end()
        # As act names them; other tests have theirs at the same time.
        left = docker("ps", "-aq", "--filter", f"name=act-{run.name}-").split()
        if left:
            docker("rm", "-f", *left)


def test_three_deployments_at_once_take_turns(
    bucket: TestBucket, tmp_path: Path, runs: list[Run]
) -> None:
    checkout = Checkout(tmp_path, deploy=DEPLOY)

    for number in (1, 2, 3):
        name = f"deploy-{number}"
        runs.append(checkout.start(name, deploy_workflow(name, bucket.endpoint)))
    codes = [run.wait() for run in runs]

    assert codes == [0, 0, 0], "\n".join(run.text()[-2000:] for run in runs)
    tokens = [int(line) for line in (checkout.shared / "tokens").read_text().split()]
    assert not (checkout.shared / "overlaps").exists()
    assert tokens == sorted(set(tokens))
    assert len(tokens) == 3
    # Every later step has seen its outputs.
    outputs = [line.split() for line in (checkout.shared / "outputs").read_text().splitlines()]
    assert [line[0] for line in outputs] == ["true"] * 3
    assert [int(line[1]) for line in outputs] == tokens
    waits = [int(line[2]) for line in outputs]
    assert [line[3] for line in outputs] == ["acquired"] * 3
    # Each deployment takes three seconds, and its release some more.
    assert waits[2] >= 3
    record = bucket.record(LOCK)
    assert record["holders"] == []
    assert [end["outcome"] for end in record["history"]] == ["released"] * 3
    assert [end["token"] for end in record["history"]] == tokens
    assert bucket.tickets(LOCK) == []


def test_a_job_whose_deployment_fails_still_releases(
    bucket: TestBucket, tmp_path: Path, runs: list[Run]
) -> None:
    checkout = Checkout(tmp_path, deploy="#!/bin/sh\nexit 9\n")

    runs.append(checkout.start("failing", deploy_workflow("failing", bucket.endpoint)))
    code = runs[0].wait()

    assert code != 0
    assert "exitcode '9'" in runs[0].text()
    record = bucket.record(LOCK)
    assert record["holders"] == []
    assert [end["outcome"] for end in record["history"]] == ["released"]


def test_a_job_that_is_cancelled_while_it_waits_leaves_no_ticket_and_no_claim(
    bucket: TestBucket, tmp_path: Path, runs: list[Run]
) -> None:
    checkout = Checkout(tmp_path, deploy=DEPLOY)
    lock = Lock(LOCK, bucket="acme-locks", endpoint=bucket.endpoint)
    with lock.acquire("0") as lease:
        runs.append(checkout.start("cancelled", deploy_workflow("cancelled", bucket.endpoint)))
        bucket.until(lambda: len(bucket.tickets(LOCK)) == 1, within=120)

        runs[0].cancel()
        runs[0].wait(within=60)

        assert bucket.tickets(LOCK) == []
        assert [h["lease"] for h in bucket.record(LOCK)["holders"]] == [lease.id]
    # Nobody of that job is left who could take the lock now that it is free.
    with lock.acquire("0"):
        assert not (checkout.shared / "tokens").exists()
    assert len(bucket.record(LOCK)["history"]) == 2


def refused(bucket: TestBucket) -> bool:
    """Try to take the lock; tell whether that was refused."""
    try:
        Lock(LOCK, bucket="acme-locks", endpoint=bucket.endpoint).acquire("0").release()
    except NotAcquired:
        return True
    return False


def keepers_of(ends: list[dict[str, Any]]) -> list[str]:
    """Return the containers that kept leases, as far as they are still there."""
    names = {f"gcs-ci-lock-{end['lease']}" for end in ends}
    there = docker("ps", "--all", "--format", "{{.Names}}").split()
    return sorted(names.intersection(there))


def test_a_job_of_two_leases_length_holds_the_lock_throughout(
    bucket: TestBucket, tmp_path: Path, runs: list[Run]
) -> None:
    clock = SystemClock()
    deploy = "#!/bin/sh\ntouch /shared/began\nsleep 60\ntouch /shared/ended\n"
    checkout = Checkout(tmp_path, deploy=deploy)
    workflow = deploy_workflow("long", bucket.endpoint, ttl="30s", keep_alive="sidecar")
    runs.append(checkout.start("long", workflow))
    bucket.until((checkout.shared / "began").exists, within=120)
    tries = []

    while not (checkout.shared / "ended").exists():
        tries.append(refused(bucket))
        clock.sleep(1.0)
    bucket.until(lambda: not bucket.record(LOCK)["holders"], within=15)
    code = runs[0].wait()

    assert code == 0, runs[0].text()[-3000:]
    # The last try can have come after the release.
    assert len(tries) > 30
    assert all(tries[:-1])
    assert "renewed every 5s by a sidecar" in runs[0].text()
    assert "| missed renewals | 0 |" in runs[0].text()
    ends = bucket.record(LOCK)["history"]
    assert [end["outcome"] for end in ends][:1] == ["released"]
    assert keepers_of(ends) == []


@pytest.mark.parametrize(
    ("name", "ends"),
    [
        ("two-locks", {"acme/database": 1, "acme/site": 1}),
        ("matrix", {"acme/prod": 2}),
        ("composite", {"acme/composite": 1}),
    ],
)
def test_an_example_runs_and_releases_its_own(
    bucket: TestBucket, tmp_path: Path, runs: list[Run], name: str, ends: dict[str, int]
) -> None:
    checkout = Checkout(tmp_path, deploy=DEPLOY)
    inner = "composite/action.yml"
    checkout.replace(f"examples/{inner}", example(inner, bucket.endpoint))

    runs.append(checkout.start(name, example(f"{name}.yml", bucket.endpoint)))
    code = runs[0].wait()

    assert code == 0, runs[0].text()[-3000:]
    assert not (checkout.shared / "overlaps").exists()
    for lock, number in ends.items():
        record = bucket.record(lock)
        assert record["holders"] == []
        assert [end["outcome"] for end in record["history"]] == ["released"] * number
        assert [end["note"] for end in record["history"]] == [""] * number
        assert keepers_of(record["history"]) == []
