"""What a step reports: outputs, annotations and the summary on the page of the run."""

from dataclasses import replace

import pytest

from gcs_ci_lock.action.outputs import (
    report_acquired,
    report_end,
    report_no_keepalive,
    report_obsolete,
    report_release,
    report_timeout,
)
from gcs_ci_lock.errors import StorageUnreachable
from gcs_ci_lock.keepalive.held import HeldLock, ReleaseResult
from gcs_ci_lock.locking.lease import LeaseState, max_hold_over, renewal_overdue
from gcs_ci_lock.locking.outcome import Acquired, NotReleased, Obsolete, Released, TimedOut
from gcs_ci_lock.protocol.obsolete import Superseded
from gcs_ci_lock.protocol.record import PastLease
from gcs_ci_lock.protocol.timing import Timing
from tests.support.fakes import World
from tests.support.keepalives import FakeKeepAlive, held_by_client, request_of
from tests.support.memory_step import MemoryJob
from tests.support.samples import ENDED, HOLDER, LEASE_REF, NOW, RECORD, WAIT_STATUS

pytestmark = pytest.mark.example

EXPIRED = replace(ENDED, outcome="expired", note="")
EVICTED = replace(ENDED, outcome="evicted", note="run 8123 is completed")


def held(*, waited: float = 0.0, expires_in: float = 120.0, renewed: bool = True) -> HeldLock:
    client = World().client("a")
    timing = Timing.for_ttl(120.0) if renewed else Timing.without_renewal(80.0)
    lease = LeaseState(
        id="k3v9", token=41, timing=timing, revision=1, sent_at=1.0, expires_at=NOW + expires_in
    )
    acquired = Acquired(lease=lease, waited=waited, record=RECORD)
    return held_by_client(client, FakeKeepAlive(), acquired)


def with_changes(one: HeldLock, acquired: Acquired) -> HeldLock:
    return HeldLock(
        one.lock, one.request, acquired, one.keepalive, random=World().client("a").random
    )


def test_a_short_wait_is_no_notice_and_a_long_one_is(job: MemoryJob) -> None:
    short, long = job.step("short"), job.step("long")

    report_acquired(short.github(), [held(waited=4.9)], "renewed")
    report_acquired(long.github(), [held(waited=5.0)], "renewed")

    assert short.said("notice") == ""
    assert long.said("notice") == 'Acquired lock "prod" after 5s: fencing token 41, renewed'


def test_the_outputs_name_the_lease_and_the_holder_before(job: MemoryJob) -> None:
    step = job.step()

    report_acquired(step.github(), [held(waited=61.4)], "renewed")

    assert step.outputs == {
        "lock-uri": "gs://acme-locks/locks/prod",
        "acquired": "true",
        "outcome": "acquired",
        "lease-id": "k3v9",
        "fencing-token": "41",
        "waited-seconds": "61",
        "expires-at": "2026-11-23T14:10:15Z",
        "previous-holder-url": "https://github.com/acme/api/actions/runs/8123",
        "took-over": "false",
    }
    assert "| fencing token | 41 |" in step.files.summary
    assert "| previous holder |" in step.files.summary
    assert "```mermaid" in step.files.summary


def test_renewed_leases_expire_as_the_last_one_and_others_as_the_first(job: MemoryJob) -> None:
    renewed, fixed = job.step("renewed"), job.step("fixed")

    report_acquired(renewed.github(), [held(expires_in=60.0), held()], "renewed")
    report_acquired(
        fixed.github(), [held(expires_in=60.0, renewed=False), held(renewed=False)], "not renewed"
    )

    assert renewed.outputs["expires-at"] == "2026-11-23T14:10:15Z"
    assert fixed.outputs["expires-at"] == "2026-11-23T14:09:15Z"


@pytest.mark.parametrize(
    ("replaced", "words"),
    [(EXPIRED, "whose lease expired (token 40)"), (EVICTED, "whose job is over (token 40): run")],
)
def test_who_was_taken_over_is_a_warning(job: MemoryJob, replaced: PastLease, words: str) -> None:
    step = job.step()
    one = held()

    report_acquired(
        step.github(),
        [with_changes(one, replace(one.acquired, took_over=(replaced,)))],
        "renewed",
    )

    assert words in step.said("warning")
    assert step.outputs["took-over"] == "true"


def test_a_lease_that_nothing_renews_is_a_warning(job: MemoryJob) -> None:
    one, several = job.step("one"), job.step("several")
    request = request_of(World().client("a"))

    report_no_keepalive(one.github(), [request], "")
    report_no_keepalive(several.github(), [request, request], "There is no engine.")

    assert one.said("warning").startswith(
        'This lease is not renewed (keep-alive: none). If the runner dies, lock "prod" stays held '
        "for up to 2m00s."
    )
    assert several.said("warning").startswith("These leases are not renewed")
    assert 'locks "prod", "prod" stay held' in several.said("warning")
    assert "There is no engine." in several.said("warning")


def test_two_sentences_of_a_warning_are_one_space_apart(job: MemoryJob) -> None:
    step = job.step()

    report_no_keepalive(step.github(), [request_of(World().client("a"))], "")

    assert "  " not in step.said("warning")


@pytest.mark.parametrize(
    ("result", "said", "error"),
    [
        (Released(ended=ENDED), 'Released lock "prod" (fencing token 41)', ""),
        (max_hold_over(600.0), 'Released lock "prod" (fencing token 41)', ""),
        (
            NotReleased(error=StorageUnreachable("down")),
            "",
            'lock "prod" could not be released: down. Its lease ends by itself',
        ),
        (renewal_overdue(held().acquired.lease, 90.0), "", ""),
    ],
    ids=["released", "max-hold", "not released", "lost"],
)
def test_a_release_is_reported_as_it_ended(
    job: MemoryJob, result: ReleaseResult, said: str, error: str
) -> None:
    step = job.step()

    report_release(step.github(), held(), result)

    assert [line for line in step.log if not line.startswith("::")] == ([said] if said else [])
    assert step.said("error").startswith(error)
    assert bool(step.said("error")) == bool(error)


@pytest.mark.parametrize(("skip", "kind"), [(False, "error"), (True, "warning")])
def test_a_lock_that_was_not_acquired_names_its_holders(
    job: MemoryJob, *, skip: bool, kind: str
) -> None:
    step = job.step()
    request = request_of(World().client("a"))

    report_timeout(step.github(), request, TimedOut(status=WAIT_STATUS), skip=skip)

    assert 'could not acquire lock "prod"' in step.said(kind)
    assert "alice" in step.said(kind)
    assert step.outputs["outcome"] == "timeout"
    assert step.outputs["acquired"] == "false"
    assert step.outputs["waited-seconds"] == "60"
    assert "| held by |" in step.files.summary


def test_the_page_lists_five_holders_at_most(job: MemoryJob) -> None:
    step = job.step()
    many = replace(RECORD, holders=(HOLDER,) * 9)

    report_timeout(
        step.github(),
        request_of(World().client("a")),
        TimedOut(status=replace(WAIT_STATUS, record=many)),
        skip=False,
    )

    assert step.files.summary.count("| held by |") == 5


@pytest.mark.parametrize(("skip", "kind"), [(False, "error"), (True, "warning")])
def test_a_run_that_a_newer_one_supersedes_is_told_so(
    job: MemoryJob, *, skip: bool, kind: str
) -> None:
    step = job.step()
    obsolete = Obsolete(waited=12.0, why=Superseded(by="k3w1"))

    report_obsolete(step.github(), request_of(World().client("a")), obsolete, skip=skip)

    assert "superseded by a newer run of the same job" in step.said(kind)
    assert step.outputs["outcome"] == "superseded"
    assert "| outcome | superseded |" in step.files.summary


def test_the_end_of_a_lease_is_added_to_the_page(job: MemoryJob) -> None:
    step = job.step()

    report_end(step.github(), replace(LEASE_REF, waited_s=61.0), "lost", [("renewals", "9")])

    assert "| outcome | lost |" in step.files.summary
    assert "| waited | 1m01s |" in step.files.summary
    assert "| renewals | 9 |" in step.files.summary
