"""What a step tells: outputs, annotations and the summary on the page of the run."""

from collections.abc import Mapping, Sequence

from gcs_ci_lock.keepalive.held import Held
from gcs_ci_lock.keepalive.lease_ref import Handover
from gcs_ci_lock.locking.outcome import Overtaken, TimedOut
from gcs_ci_lock.locking.request import LockRequest, Tenure
from gcs_ci_lock.platforms.github import GitHubStep
from gcs_ci_lock.protocol.timing import spoken
from gcs_ci_lock.report.format import iso_time, link
from gcs_ci_lock.report.gantt import gantt
from gcs_ci_lock.report.markdown import owner_cell, plain, summary_table
from gcs_ci_lock.report.messages import acquired_line, overtaken_line, timeout_lines, took_over_line

# Shorter waits are the requests themselves.
WORTH_A_NOTICE = 5.0


def tell_acquired(step: GitHubStep, held: Sequence[Held], how: str) -> None:
    """Tell that the locks are ours.

    Outputs of several locks have one line for each, in the order of their names.

    Args:
        step: speaks to the runner.
        held: what was got, in that order.
        how: who renews the leases, for people.
    """
    for one in held:
        _tell_one(step, one, how)
    tenures = [one.acquired.tenure for one in held]
    previous = [one.acquired.previous for one in held]
    set_outputs(
        step,
        [one.request for one in held],
        {
            "acquired": "true",
            "outcome": "acquired",
            "lease-id": "\n".join(tenure.lease for tenure in tenures),
            "fencing-token": "\n".join(str(tenure.token) for tenure in tenures),
            "waited-seconds": f"{held[-1].acquired.waited:.0f}",
            "expires-at": iso_time(_expires_at(tenures)),
            "previous-holder-url": "\n".join(link(p.owner) if p else "" for p in previous),
            "took-over": "true" if any(one.acquired.took_over for one in held) else "false",
        },
    )


def _expires_at(tenures: Sequence[Tenure]) -> float:
    # What is renewed was renewed while the last one was waited for.
    fixed = [tenure.expires_at for tenure in tenures if tenure.timing.beat is None]
    return min(fixed, default=tenures[-1].expires_at)


def _tell_one(step: GitHubStep, held: Held, how: str) -> None:
    acquired = held.acquired
    tenure, previous = acquired.tenure, acquired.previous
    line = acquired_line(held.name, acquired.waited, tenure.token, how)
    step.say(line)
    if acquired.waited >= WORTH_A_NOTICE:
        step.notice(line)
    for ended in acquired.took_over:
        step.warning(took_over_line(ended))
    rows = [
        ("name", plain(held.name)),
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
    step.add_summary(summary_table(rows) + gantt(held.name, acquired.record, now))


def tell_unkept(step: GitHubStep, requests: Sequence[LockRequest], why: str) -> None:
    """Warn that nobody renews the leases.

    Args:
        step: speaks to the runner.
        requests: what was asked for.
        why: one sentence with its full stop, or "".
    """
    names = ", ".join(f'"{request.paths.name}"' for request in requests)
    locks = f"lock {names} stays" if len(requests) == 1 else f"locks {names} stay"
    step.warning(
        "Nobody renews this lease (keep-alive: none): if this runner dies, "
        f"{locks} taken for up to {spoken(requests[0].timing.ttl)}. {why} "
        "Keep max-hold as short as the job allows."
    )


def tell_timeout(
    step: GitHubStep, request: LockRequest, timed_out: TimedOut, *, skip: bool
) -> None:
    """Tell that the lock was not to be had: an error, or a warning where that is no failure."""
    situation = timed_out.situation
    set_outputs(
        step,
        [request],
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
        [request],
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


def set_outputs(
    step: GitHubStep, requests: Sequence[LockRequest], outputs: Mapping[str, str]
) -> None:
    """Give values to later steps."""
    uris = "\n".join(request.paths.uri for request in requests)
    for name, value in {"lock-uri": uris, **outputs}.items():
        step.set_output(name, value)
