"""What a step reports: outputs, annotations and the summary of the run."""

from collections.abc import Mapping, Sequence

from gcs_ci_lock.keepalive.held import HeldLock, ReleaseResult
from gcs_ci_lock.keepalive.lease_ref import LeaseRef
from gcs_ci_lock.locking.lease import LeaseState, Lost
from gcs_ci_lock.locking.outcome import NotReleased, Obsolete, Released, TimedOut
from gcs_ci_lock.locking.request import LockRequest
from gcs_ci_lock.platforms.github import GitHubStep
from gcs_ci_lock.protocol.duration import format_duration
from gcs_ci_lock.report.format import iso_time, link
from gcs_ci_lock.report.gantt import gantt
from gcs_ci_lock.report.markdown import owner_cell, plain, summary_table
from gcs_ci_lock.report.messages import (
    acquired_line,
    not_released_line,
    obsolete_line,
    released_line,
    timeout_lines,
    took_over_line,
)

# Seconds; shorter waits are only the requests themselves.
WORTH_A_NOTICE = 5.0


def report_acquired(step: GitHubStep, held: Sequence[HeldLock], how: str) -> None:
    """Report that the locks are acquired.

    With several locks, the outputs have one line each, in the order of the names.

    Args:
        step: writes for the runner.
        held: the locks, in that order.
        how: what renews the leases, for people.
    """
    for one in held:
        _report_one(step, one, how)
    leases = [one.acquired.lease for one in held]
    previous = [one.acquired.previous for one in held]
    set_outputs(
        step,
        [one.request for one in held],
        {
            "acquired": "true",
            "outcome": "acquired",
            "lease-id": "\n".join(lease.id for lease in leases),
            "fencing-token": "\n".join(str(lease.token) for lease in leases),
            "waited-seconds": f"{held[-1].acquired.waited:.0f}",
            "expires-at": iso_time(_expires_at(leases)),
            "previous-holder-url": "\n".join(link(p.owner) if p else "" for p in previous),
            "took-over": "true" if any(one.acquired.took_over for one in held) else "false",
        },
    )


def _expires_at(leases: Sequence[LeaseState]) -> float:
    # A lease with a keeper was renewed during the wait for the last one.
    fixed = [lease.expires_at for lease in leases if lease.timing.renew_every is None]
    return min(fixed, default=leases[-1].expires_at)


def _report_one(step: GitHubStep, held: HeldLock, how: str) -> None:
    acquired = held.acquired
    lease, previous = acquired.lease, acquired.previous
    line = acquired_line(held.name, acquired.waited, lease.token, how)
    step.log(line)
    if acquired.waited >= WORTH_A_NOTICE:
        step.notice(line)
    for ended in acquired.took_over:
        step.warning(took_over_line(ended))
    rows = [
        ("name", plain(held.name)),
        ("outcome", "acquired"),
        ("waited", format_duration(acquired.waited)),
        ("fencing token", str(lease.token)),
        ("kept alive", plain(how)),
        ("expires at", plain(iso_time(lease.expires_at))),
    ]
    if previous is not None:
        rows.append(("previous holder", owner_cell(previous.owner)))
    # When the claim was written.
    now = lease.expires_at - lease.timing.ttl
    step.add_summary(summary_table(rows) + gantt(held.name, acquired.record, now))


def report_no_keepalive(step: GitHubStep, requests: Sequence[LockRequest], why: str) -> None:
    """Warn that nothing renews the leases.

    Args:
        step: writes for the runner.
        requests: the locks.
        why: a sentence with its full stop, or "".
    """
    names = ", ".join(f'"{request.paths.name}"' for request in requests)
    several = len(requests) > 1
    subject = "These leases are" if several else "This lease is"
    locks = f"locks {names} stay" if several else f"lock {names} stays"
    ttl = format_duration(requests[0].timing.ttl)
    sentences = [
        f"{subject} not renewed (keep-alive: none).",
        f"If the runner dies, {locks} held for up to {ttl}.",
        why,
        "Keep max-hold as short as the job allows.",
    ]
    step.warning(" ".join(sentence for sentence in sentences if sentence))


def report_release(step: GitHubStep, held: HeldLock, result: ReleaseResult) -> None:
    """Report how one release ended; the caller reports a loss."""
    match result:
        case Released():
            step.log(released_line(held.name, held.acquired.lease.token))
        case Lost() if result.max_hold_over:
            step.log(released_line(held.name, held.acquired.lease.token))
        case NotReleased():
            ttl = held.request.timing.ttl
            step.error(not_released_line(held.name, result.error, ttl=ttl))
        case _:
            pass


def report_timeout(
    step: GitHubStep, request: LockRequest, timed_out: TimedOut, *, skip: bool
) -> None:
    """Report that the lock was not acquired in time: an error, or a warning with `skip`."""
    status = timed_out.status
    set_outputs(
        step,
        [request],
        {
            "acquired": "false",
            "outcome": "timeout",
            "waited-seconds": f"{status.waited:.0f}",
            "took-over": "false",
        },
    )
    rows = [
        ("name", plain(request.paths.name)),
        ("outcome", "timeout"),
        ("waited", format_duration(status.waited)),
    ]
    rows += [("held by", owner_cell(h.owner)) for h in status.record.holders[:5]]
    picture = gantt(request.paths.name, status.record, status.earliest)
    step.add_summary(summary_table(rows) + picture)
    annotate = step.warning if skip else step.error
    annotate("\n".join(timeout_lines(status)))


def report_obsolete(
    step: GitHubStep, request: LockRequest, obsolete: Obsolete, *, skip: bool
) -> None:
    """Report that a newer run makes this one obsolete: an error, or a warning with `skip`."""
    line = obsolete_line(request.paths.name, obsolete)
    set_outputs(
        step,
        [request],
        {
            "acquired": "false",
            "outcome": obsolete.outcome,
            "waited-seconds": f"{obsolete.waited:.0f}",
            "took-over": "false",
        },
    )
    rows = [
        ("name", plain(request.paths.name)),
        ("outcome", obsolete.outcome),
        ("waited", format_duration(obsolete.waited)),
    ]
    step.add_summary(summary_table(rows))
    annotate = step.warning if skip else step.error
    annotate(line)


def report_end(
    step: GitHubStep, lease_ref: LeaseRef, outcome: str, rows: Sequence[tuple[str, str]]
) -> None:
    """Add the end of a lease to the summary of the run.

    Args:
        step: writes for the runner.
        lease_ref: the lease.
        outcome: one word.
        rows: more lines of the table; Markdown.
    """
    head = [
        ("name", plain(lease_ref.name)),
        ("outcome", outcome),
        ("waited", format_duration(lease_ref.waited_s)),
    ]
    step.add_summary(summary_table([*head, *rows]))


def set_outputs(
    step: GitHubStep, requests: Sequence[LockRequest], outputs: Mapping[str, str]
) -> None:
    """Set the outputs of the step."""
    uris = "\n".join(request.paths.uri for request in requests)
    for name, value in {"lock-uri": uris, **outputs}.items():
        step.set_output(name, value)
