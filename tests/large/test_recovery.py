"""What happens when a holder dies: large only because a lease lasts half a minute at least."""

import signal
import subprocess
import sys

import pytest

from gcs_ci_lock.system.clock import SystemClock
from tests.support.bucket import TestBucket

pytestmark = pytest.mark.chaos

TTL = 30.0


def start(bucket: TestBucket, *command: str) -> "subprocess.Popen[str]":
    options = ["--bucket", bucket.uri, "--endpoint", bucket.endpoint, "--ttl", "30s"]
    return subprocess.Popen(
        [sys.executable, "-m", "gcs_ci_lock", "run", "prod", *options, "--", *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_holder_that_is_killed_is_followed_after_its_ttl_and_not_before(
    bucket: TestBucket,
) -> None:
    clock = SystemClock()
    first = start(bucket, "sleep", "600")
    bucket.until(lambda: bucket.body("prod") is not None)
    (holder,) = bucket.record("prod")["holders"]
    second = start(bucket, "true")
    bucket.until(lambda: len(bucket.tickets("prod")) == 1)

    first.send_signal(signal.SIGKILL)
    killed_at = clock.boottime()
    _, said = second.communicate(timeout=120)
    took = clock.boottime() - killed_at
    first.communicate(timeout=10)

    assert second.returncode == 0, said
    record = bucket.record("prod")
    expired, released = record["history"]
    assert (expired["outcome"], expired["lease"]) == ("expired", holder["lease"])
    assert released["token"] > expired["token"]
    # By the server's own clock, whose dates are whole seconds: not before it had run out, and
    # within a poll and the second that a date may hide after it.
    assert released["granted_at"] >= expired["ended_at"]
    assert released["granted_at"] - expired["ended_at"] < 5
    assert TTL - 6 < took < TTL + 10
