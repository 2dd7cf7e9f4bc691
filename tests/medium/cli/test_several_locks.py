"""Several locks at once: all or none, in one order, within one time to wait."""

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from gcs_ci_lock.locking.admin import evict
from gcs_ci_lock.locking.client import LockClient
from gcs_ci_lock.protocol.names import Location, LockPaths
from gcs_ci_lock.protocol.timing import Timing
from gcs_ci_lock.system.clock import SystemClock
from gcs_ci_lock.wiring import connect
from tests.support.bucket import TestBucket
from tests.support.shell import Site, until

pytestmark = pytest.mark.end_to_end

PATIENT = "touch ready; while :; do sleep 0.1; done"


@pytest.fixture
def site(bucket: TestBucket, tmp_path: Path) -> Iterator[Site]:
    with Site(bucket, tmp_path) as site:
        yield site


def lock_of(site: Site, name: str) -> LockClient:
    connection = connect(site.bucket.bucket, endpoint=site.endpoint, environ={})
    paths = LockPaths(location=Location.parse(site.bucket.uri), name=name)
    return connection.lock(paths, Timing.for_ttl(120.0))


def test_both_are_held_while_the_command_runs_and_given_back_in_reverse(site: Site) -> None:
    running = site.start("run", "web", "db", *site.at, "--", "sh", "-c", PATIENT)
    until((site.folder / "ready").exists)

    held = [site.holders("db"), site.holders("web")]
    running.send(signal.SIGTERM)
    ended = running.ended()

    assert [len(holders) for holders in held] == [1, 1]
    assert ended.exit_code == 143
    said = [(line.split()[0], line.split('"')[1]) for line in ended.err.splitlines()]
    assert said == [
        ("Acquired", "db"),
        ("Acquired", "web"),
        ("Released", "web"),
        ("Released", "db"),
    ]


def test_the_command_sees_a_token_a_lease_and_a_name_of_each(site: Site) -> None:
    script = 'echo "$GCS_CI_LOCK_NAME"; echo "$GCS_CI_LOCK_TOKEN"; echo "$GCS_CI_LOCK_LEASE"'

    ended = site.run("run", "web", "db", "web", *site.at, "--", "sh", "-c", script)

    last = [site.bucket.record(name)["history"][-1] for name in ("db", "web")]
    tokens, leases = [str(e["token"]) for e in last], [e["lease"] for e in last]
    assert ended.out.splitlines() == ["db", "web", *tokens, *leases]


def test_where_one_is_not_to_be_had_none_is_held(site: Site) -> None:
    site.hold("web")

    ended = site.run("run", "db", "web", *site.at, "--wait", "1s", "--", "touch", "ran")

    assert ended.exit_code == 75, ended
    assert 'lock "web"' in ended.err
    assert site.holders("db") == []
    assert not (site.folder / "ran").exists()


def test_the_time_to_wait_is_one_for_all(site: Site) -> None:
    holder = site.hold("db")
    site.hold("web")
    clock = SystemClock()
    began = clock.boottime()
    waiting = site.start("run", "db", "web", *site.at, "--wait", "10s", "--", "true")
    until(lambda: 'Waiting for lock "db"' in waiting.err)

    clock.sleep(3.0)
    holder.send(signal.SIGTERM)
    ended = waiting.ended()

    assert ended.exit_code == 75, ended
    assert clock.boottime() - began > 9.5
    # What is told is the time of all, too.
    assert 'lock "web"' in ended.err
    assert re.search(r"could not acquire lock .* within 10s", ended.err), ended.err
    # By the program's own clock; a busy machine is late to tell the holder of the first.
    waited = re.search(
        r"you hold  db\n  you are   1st of 1 in the queue\n  waited    ([0-9]+)s of 10s", ended.err
    )
    assert waited, ended.err
    assert int(waited[1]) <= 7
    assert holder.ended().exit_code == 0
    assert site.holders("db") == []


def test_those_that_are_held_are_renewed_while_another_is_waited_for(site: Site) -> None:
    site.hold("web")
    site.start("run", "db", "web", *site.at, "--ttl", "30s", "--", "true")
    until(lambda: len(site.holders("db")) == 1)

    until(lambda: site.holders("db")[0]["beat"] > 1)


def test_a_signal_while_the_second_is_waited_for_gives_the_first_back(site: Site) -> None:
    site.hold("web")
    running = site.start("run", "db", "web", *site.at, "--", "touch", "ran")
    until(lambda: 'Waiting for lock "web"' in running.err)

    running.send(signal.SIGTERM)
    ended = running.ended()

    assert ended.exit_code == 143, ended
    assert site.holders("db") == []
    assert site.bucket.tickets("web") == []
    assert not (site.folder / "ran").exists()


def test_a_loss_of_the_first_while_the_second_is_waited_for_ends_it(site: Site) -> None:
    site.hold("web")
    running = site.start("run", "db", "web", *site.at, "--ttl", "30s", "--", "touch", "ran")
    until(lambda: 'Waiting for lock "web"' in running.err)

    evict(lock_of(site, "db"), site.holders("db")[0]["lease"], note="stuck")
    ended = running.ended()

    assert ended.exit_code == 76, ended
    assert 'lease on lock "db" lost' in ended.err
    assert "Released" not in ended.err
    assert site.bucket.tickets("web") == []
    assert not (site.folder / "ran").exists()


def test_jobs_that_name_them_in_different_orders_do_not_wait_for_each_other(site: Site) -> None:
    names = (("a", "b", "c"), ("c", "b", "a"), ("b", "c", "a"), ("c", "a", "b"))
    jobs = [site.start("run", *order, *site.at, "--", "sh", "-c", "sleep 0.1") for order in names]

    assert [job.ended().exit_code for job in jobs] == [0, 0, 0, 0]


def test_hold_keeps_several_until_it_is_told_to_stop(site: Site) -> None:
    running = site.start("hold", "db", "web", *site.at)
    until(lambda: running.err.count("Acquired") == 2)

    running.send(signal.SIGINT)
    ended = running.ended()

    assert ended.exit_code == 0, ended
    assert [site.holders(name) for name in ("db", "web")] == [[], []]
