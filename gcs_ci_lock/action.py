"""The two stages of the action: `main` takes the lock, `post` gives it back.

Nobody renews the lease here: it is 1.5 times max-hold long, so that it is valid for max-hold.
"""

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from gcs_ci_lock.ci.github import GitHubStep, owner
from gcs_ci_lock.clock import SignalStop, SystemChance
from gcs_ci_lock.core.handover import Handover
from gcs_ci_lock.core.loss import taken_away
from gcs_ci_lock.core.outcome import Acquired, Stopped, TimedOut
from gcs_ci_lock.core.request import LockRequest
from gcs_ci_lock.core.settings import lock_request
from gcs_ci_lock.core.text import printable
from gcs_ci_lock.core.timing import spoken
from gcs_ci_lock.errors import LockError, NotAcquired, UsageError
from gcs_ci_lock.handed import end
from gcs_ci_lock.lock import Released
from gcs_ci_lock.output import write_line
from gcs_ci_lock.report.lines import acquired_line, lease_lost, released_line, timeout_lines
from gcs_ci_lock.report.people import iso_time, link
from gcs_ci_lock.report.progress import Progress
from gcs_ci_lock.report.summary import owner_cell, plain, summary_table
from gcs_ci_lock.waiting import Waiter
from gcs_ci_lock.wiring import connect

STATE: Final = "lease"
# Shorter waits are the requests themselves.
WORTH_A_NOTICE = 5.0


def run_stage(name: str) -> int:
    """Run one stage as the runner starts it; return the exit code.

    Args:
        name: `entrypoint` for main, `entrypoint-post` for post.
    """
    chance = SystemChance()
    step = GitHubStep(
        os.environ,
        write=_print,
        delimiter=lambda: f"gcs-ci-lock-{chance.lease_id()}",
    )
    stage = post_stage if name == "entrypoint-post" else main_stage
    try:
        return stage(step, os.environ)
    except LockError as error:
        step.error(str(error))
        return error.exit_code
    except Exception as error:  # noqa: BLE001 - a traceback in a log helps nobody at 3 a.m.
        step.error(f"gcs-ci-lock failed unexpectedly: {type(error).__name__}: {error}")
        return 1


def _print(line: str) -> None:
    write_line(sys.stdout, line)


def main_stage(step: GitHubStep, environ: Mapping[str, str]) -> int:
    """Wait for the lock and hand its lease to the post step; return the exit code.

    Raises:
        LockError: it could not be acquired; nothing is held then.
    """
    stop = SignalStop()
    keeping = _Keeping(step, environ)
    # What an earlier job left there is not ours, however this step ends.
    keeping.forget()
    on_timeout = _choice(step, "on-timeout", ("fail", "skip"))
    _choice(step, "keep-alive", ("auto", "none"))
    request = _request(step, environ)
    endpoint = step.input("endpoint")
    connection = connect(request.paths.location.bucket, endpoint=endpoint or None, environ=environ)

    def hand_over(lease: str) -> None:
        keeping.write(Handover.asked(request, lease, endpoint=endpoint))

    progress = Progress(step.say, clock=connection.clock, asking=hand_over)
    lock = connection.lock(request.paths, request.timing)
    waiter = Waiter(lock, request, chance=connection.chance, stop=stop, observer=progress)
    try:
        outcome = waiter.run()
    except LockError:
        _set_outputs(step, request, {"acquired": "false"})
        if not waiter.leaves_something:
            keeping.clear()
        raise
    match outcome:
        case Acquired():
            asked = Handover.asked(request, outcome.tenure.lease, endpoint=endpoint)
            keeping.write(asked.granted(outcome.tenure, waited=outcome.waited))
            _tell_acquired(step, request, outcome)
            return 0
        case TimedOut():
            if not waiter.leaves_something:
                keeping.clear()
            return _tell_timeout(step, request, outcome, skip=on_timeout == "skip")
        case Stopped():
            # Else post has the last word: the lease would last for hours.
            if not waiter.leaves_something:
                keeping.clear()
            step.say(f'Stopped waiting for lock "{request.paths.name}"')
            return stop.exit_code


def post_stage(step: GitHubStep, environ: Mapping[str, str]) -> int:
    """Release exactly the lease of our own main step; return the exit code.

    Inputs are not looked at: inside a composite action they may be another step's.

    Raises:
        LockError: the storage server does not answer; the lease ends by itself.
    """
    keeping = _Keeping(step, environ)
    handover = keeping.read()
    if handover is None:
        step.say("Nothing to release: this step holds no lock")
        return 0
    connection = connect(
        handover.paths.location.bucket, endpoint=handover.endpoint or None, environ=environ
    )
    lock = connection.lock(handover.paths, handover.timing)
    result = end(lock, handover, chance=connection.chance)
    keeping.clear()
    if isinstance(result, Released):
        step.say(released_line(handover.name, handover.token))
    elif handover.token:
        step.warning(str(lease_lost(handover.name, taken_away(handover.token, result))))
    else:
        step.say(f'Nothing to release: lock "{handover.name}" was not acquired')
    return 0


class _Keeping:
    """What main leaves for post: the runner's state, and a file beside the event.

    act hands no state on; there both stages see the file.
    """

    def __init__(self, step: GitHubStep, environ: Mapping[str, str]) -> None:
        self._step = step
        event = environ.get("GITHUB_EVENT_PATH")
        # The same in both stages of one step, and another one in every other step of the job.
        both = f"{environ.get('GITHUB_JOB', '')}-{environ.get('GITHUB_ACTION', '')}"
        action = "".join(c if c.isalnum() else "_" for c in both)
        folder = Path(event).parent if event else None
        self._path = folder / f"gcs-ci-lock-{action[:80]}.json" if folder else None

    def write(self, handover: Handover) -> None:
        self._step.save_state(STATE, handover.encoded())
        if self._path is not None:
            with suppress(OSError):
                self._path.touch(mode=0o600)
                self._path.write_text(handover.encoded())

    def clear(self) -> None:
        self._step.save_state(STATE, "")
        self.forget()

    def forget(self) -> None:
        if self._path is not None:
            with suppress(OSError):
                self._path.unlink(missing_ok=True)

    def read(self) -> Handover | None:
        text, source = self._step.state(STATE), "the step's state"
        if not text and self._path is not None:
            with suppress(OSError, ValueError):
                text, source = self._path.read_text(), "the step's lease file"
        return Handover.decode(text, source=source) if text else None


def _request(step: GitHubStep, environ: Mapping[str, str]) -> LockRequest:
    return lock_request(
        name=step.input("name"),
        bucket=step.input("bucket"),
        slots=step.input("slots", "1"),
        wait=step.input("wait", "30m"),
        ttl=step.input("ttl", "2m"),
        max_hold=step.input("max-hold", "6h"),
        owner=replace(owner(environ), reason=step.input("reason")),
        kept=False,
    )


def _choice(step: GitHubStep, name: str, choices: tuple[str, ...]) -> str:
    value = step.input(name, choices[0])
    if value not in choices:
        message = f'input {name} "{printable(value)}" is not valid: expected {" or ".join(choices)}'
        raise UsageError(message)
    return value


def _tell_acquired(step: GitHubStep, request: LockRequest, acquired: Acquired) -> None:
    tenure, previous = acquired.tenure, acquired.previous
    line = acquired_line(
        request.paths.name,
        acquired.waited,
        tenure.token,
        f"valid for {spoken(tenure.timing.give_up)} without renewal",
    )
    step.say(line)
    if acquired.waited >= WORTH_A_NOTICE:
        step.notice(line)
    step.warning(
        f"Nobody renews this lease (keep-alive: none): if this runner dies, "
        f'lock "{request.paths.name}" stays taken for up to {spoken(tenure.timing.ttl)}. '
        "Keep max-hold as short as the job allows."
    )
    if acquired.expired:
        tokens = ", ".join(str(holder.token) for holder in acquired.expired)
        step.warning(f"Took over from a holder whose lease had run out (token {tokens})")
    _set_outputs(
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
            "took-over": "true" if acquired.expired else "false",
        },
    )
    rows = [
        ("name", plain(request.paths.name)),
        ("outcome", "acquired"),
        ("waited", spoken(acquired.waited)),
        ("fencing token", str(tenure.token)),
        ("expires at", plain(iso_time(tenure.expires_at))),
    ]
    if previous is not None:
        rows.append(("previous holder", owner_cell(previous.owner)))
    step.add_summary(summary_table(rows))


def _tell_timeout(
    step: GitHubStep, request: LockRequest, timed_out: TimedOut, *, skip: bool
) -> int:
    situation = timed_out.situation
    _set_outputs(
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
    step.add_summary(summary_table(rows))
    text = "\n".join(timeout_lines(situation))
    if skip:
        step.warning(text)
        return 0
    step.error(text)
    return NotAcquired.exit_code


def _set_outputs(step: GitHubStep, request: LockRequest, outputs: Mapping[str, str]) -> None:
    for name, value in {"lock-uri": request.paths.uri, **outputs}.items():
        step.set_output(name, value)
