"""The queue of real processes: thirty in a row, four at a time, and a head that stands still.

Large for its length only: it needs no engine.
"""

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from gcs_ci_lock.system.clock import SystemClock
from tests.support.bucket import TestBucket
from tests.support.shell import Running, Site, until

pytestmark = pytest.mark.end_to_end

JOBS = 30
HOLD = 0.2
# Boot clock and token, at both ends of the work.
WORK = (
    'echo "in $JOB $(cut -d" " -f1 /proc/uptime)" >> notes; '
    f'sleep {HOLD}; echo "out $JOB $(cut -d" " -f1 /proc/uptime)" >> notes'
)
REQUEST = re.compile(r"^(GET|POST|DELETE) http", re.MULTILINE)


@pytest.fixture
def site(bucket: TestBucket, tmp_path: Path) -> Iterator[Site]:
    with Site(bucket, tmp_path) as site:
        yield site


def queue_up(site: Site, *options: str) -> list[Running]:
    """Start jobs one after the other: each has its ticket before the next one begins."""
    jobs = []
    for number in range(JOBS):
        own = ("-v", "--reason", str(number), *options)
        words = ("run", "prod", *site.at, *own, "--", "sh", "-c", WORK)
        jobs.append(site.start(*words, environ={"JOB": str(number)}))
        until(lambda: len(site.bucket.tickets("prod")) == len(jobs), within=30)
    return jobs


def notes(site: Site) -> list[tuple[str, int, float]]:
    lines = (site.folder / "notes").read_text().splitlines()
    return [(what, int(job), float(at)) for what, job, at in map(str.split, lines)]


def most_inside(site: Site) -> int:
    inside = most = 0
    # Who left at the same hundredth of a second left first.
    for what, _, _ in sorted(notes(site), key=lambda note: (note[2], note[0] == "in")):
        inside += 1 if what == "in" else -1
        most = max(most, inside)
    return most


def order(site: Site) -> list[int]:
    """Return the jobs in the order of their tokens."""
    history = site.bucket.record("prod")["history"]
    jobs = {e["lease"]: int(e["owner"]["reason"]) for e in history if e["owner"].get("reason")}
    return [
        jobs[e["lease"]] for e in sorted(history, key=lambda e: e["token"]) if e["lease"] in jobs
    ]


def test_thirty_jobs_are_granted_in_the_order_in_which_they_came(site: Site) -> None:
    holder = site.hold("prod")
    jobs = queue_up(site)

    holder.send(signal.SIGTERM)
    ended = [job.ended(within=120) for job in jobs]

    assert [one.exit_code for one in ended] == [0] * JOBS
    assert order(site) == list(range(JOBS))
    assert most_inside(site) == 1
    requests = sum(len(REQUEST.findall(one.err)) for one in ended)
    waited = sum(at for what, _, at in notes(site) if what == "in")
    first = min(at for _, _, at in notes(site))
    print(
        f"{JOBS} jobs: {requests / JOBS:.1f} requests for each, "
        f"{waited / JOBS - first:.1f} s waited on average after the first"
    )


def test_four_at_a_time_are_never_five_and_keep_their_places(site: Site) -> None:
    holder = site.hold("prod")
    jobs = queue_up(site, "--slots", "4")

    holder.send(signal.SIGTERM)
    ended = [job.ended(within=120) for job in jobs]

    assert [one.exit_code for one in ended] == [0] * JOBS
    granted = order(site)
    assert sorted(granted) == list(range(JOBS))
    # Who enters has room beside all who hold and all who stand before it.
    obsolete = [sum(late < job for late in granted[place:]) for place, job in enumerate(granted)]
    assert max(obsolete) < 4
    assert 2 <= most_inside(site) <= 4
    requests = sum(len(REQUEST.findall(one.err)) for one in ended)
    print(f"{JOBS} jobs, 4 at a time: {requests / JOBS:.1f} requests for each")


def acquired_at(running: Running, within: float) -> float:
    until(lambda: "Acquired" in running.err, within=within)
    return SystemClock().boottime()


def waits(site: Site, place: int) -> Running:
    running = site.start("hold", "prod", *site.at)
    until(lambda: len(site.bucket.tickets("prod")) == place)
    return running


@pytest.mark.parametrize("asleep", [0.0, 95.0], ids=["alive", "dead"])
def test_a_head_that_stands_still_costs_six_to_eight_seconds_and_has_its_place_again(
    site: Site, asleep: float
) -> None:
    holder = site.hold("prod")
    head, second, third = waits(site, 1), waits(site, 2), waits(site, 3)
    head.send(signal.SIGSTOP)
    SystemClock().sleep(1.0 + asleep)

    released = SystemClock().boottime()
    holder.send(signal.SIGTERM)
    until(lambda: len(site.holders("prod")) == 0 or "Acquired" in second.err)
    # A busy machine is late to tell the holder: how long the second has waited counts from the
    # release, how long it must wait from the signal.
    free = SystemClock().boottime()
    acquired = acquired_at(second, within=60)

    # A dead ticket keeps nobody back: two polls, and the process that ends.
    low, high = (6.0, 9.0) if not asleep else (0.0, 4.0)
    assert acquired - released >= low
    assert acquired - free <= high
    delay = acquired - free
    head.send(signal.SIGCONT)
    until(lambda: len(site.bucket.tickets("prod")) == 2)
    SystemClock().sleep(6.0)
    second.send(signal.SIGTERM)
    acquired_at(head, within=60)
    assert "Acquired" not in third.err
    print(f"the second entered {delay:.1f} s after the release")
