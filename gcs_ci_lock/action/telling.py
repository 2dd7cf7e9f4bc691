"""What a step tells: outputs, annotations and the summary on the page of the run."""

from collections.abc import Mapping, Sequence

from gcs_ci_lock.ci.github import GitHubStep
from gcs_ci_lock.core.handover import Handover
from gcs_ci_lock.core.outcome import Acquired, Overtaken, TimedOut
from gcs_ci_lock.core.request import LockRequest
from gcs_ci_lock.core.timing import spoken
from gcs_ci_lock.report.gantt import gantt
from gcs_ci_lock.report.lines import acquired_line, overtaken_line, timeout_lines, took_over_line
from gcs_ci_lock.report.people import iso_time, link
from gcs_ci_lock.report.summary import owner_cell, plain, summary_table

# Shorter waits are the requests themselves.
WORTH_A_NOTICE = 5.0


def tell_acquired(step: GitHubStep, request: LockRequest, acquired: Acquired, how: str) -> None:
    """Tell that the lock is ours.

    Args:
        step: speaks to the runner.
        request: what was asked for.
        acquired: what was got.
        how: who renews the lease, for people.
    """
    tenure, previous = acquired.tenure, acquired.previous
    line = acquired_line(request.paths.name, acquired.waited, tenure.token, how)
    step.say(line)
    if acquired.waited >= WORTH_A_NOTICE:
        step.notice(line)
    for ended in acquired.took_over:
        step.warning(took_over_line(ended))
    set_outputs(
        step,
        request,
        {
            "acquired": "true",
            "outcome": "acquired",
            "lease-id": tenure.lease,
            "fencing-token": str(tenure.token),
            "waited-seconds": f"{acquired.waited:.0f}",
            "expires-at": iso_time(tenure.expires_at),
            "previous-holder-url": link(previous.owner) if previous else "",
            "took-over": "true" if acquired.took_over else "false",
        },
    )
    rows = [
        ("name", plain(request.paths.name)),
        ("outcome", "acquired"),
        ("waited", spoken(acquired.waited)),
        ("fencing token", str(tenure.token)),
        ("kept alive", plain(how)),
        ("expires at", plain(iso_time(tenure.expires_at))),
    ]
    if previous is not None:
        rows.append(("previous holder", owner_cell(previous.owner)))
    # As the claim was written.
    now = tenure.expires_at - tenure.timing.ttl
    step.add_summary(summary_table(rows) + gantt(request.paths.name, acquired.record, now))


def tell_unkept(step: GitHubStep, request: LockRequest, why: str) -> None:
    """Warn that nobody renews the lease.

    Args:
        step: speaks to the runner.
        request: what was asked for.
        why: one sentence with its full stop.
    """
    step.warning(
        f"Nobody renews this lease (keep-alive: none): if this runner dies, "
        f'lock "{request.paths.name}" stays taken for up to {spoken(request.timing.ttl)}. {why} '
        "Keep max-hold as short as the job allows."
    )


def tell_timeout(
    step: GitHubStep, request: LockRequest, timed_out: TimedOut, *, skip: bool
) -> None:
    """Tell that the lock was not to be had: an error, or a warning where that is no failure."""
    situation = timed_out.situation
    set_outputs(
        step,
        request,
        {
            "acquired": "false",
            "outcome": "timeout",
            "waited-seconds": f"{situation.waited:.0f}",
            "took-over": "false",
        },
    )
    rows = [
        ("name", plain(request.paths.name)),
        ("outcome", "timeout"),
        ("waited", spoken(situation.waited)),
    ]
    rows += [("held by", owner_cell(h.owner)) for h in situation.record.holders[:5]]
    picture = gantt(request.paths.name, situation.record, situation.earliest)
    step.add_summary(summary_table(rows) + picture)
    tell = step.warning if skip else step.error
    tell("\n".join(timeout_lines(situation)))


def tell_overtaken(
    step: GitHubStep, request: LockRequest, overtaken: Overtaken, *, skip: bool
) -> None:
    """Tell that a newer run makes this one void: an error, or a warning if that is no failure."""
    line = overtaken_line(request.paths.name, overtaken)
    set_outputs(
        step,
        request,
        {
            "acquired": "false",
            "outcome": overtaken.word,
            "waited-seconds": f"{overtaken.waited:.0f}",
            "took-over": "false",
        },
    )
    rows = [
        ("name", plain(request.paths.name)),
        ("outcome", overtaken.word),
        ("waited", spoken(overtaken.waited)),
    ]
    step.add_summary(summary_table(rows))
    tell = step.warning if skip else step.error
    tell(line)


def tell_end(
    step: GitHubStep, handover: Handover, outcome: str, rows: Sequence[tuple[str, str]]
) -> None:
    """Add the end of a lease to the page of the run.

    Args:
        step: speaks to the runner.
        handover: the lease.
        outcome: one word.
        rows: more lines of the table; Markdown.
    """
    head = [
        ("name", plain(handover.name)),
        ("outcome", outcome),
        ("waited", spoken(handover.waited_s)),
    ]
    step.add_summary(summary_table([*head, *rows]))


def set_outputs(step: GitHubStep, request: LockRequest, outputs: Mapping[str, str]) -> None:
    """Give values to later steps."""
    for name, value in {"lock-uri": request.paths.uri, **outputs}.items():
        step.set_output(name, value)
