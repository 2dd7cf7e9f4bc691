"""The stages of the action as the runner starts them."""

import os
import sys
from collections.abc import Mapping
from functools import partial

from gcs_ci_lock.action.inputs import MODES, ActionInputs, choice
from gcs_ci_lock.action.state import StepState
from gcs_ci_lock.errors import LockError
from gcs_ci_lock.keepalive.job_end import JobEnd
from gcs_ci_lock.locking.outcome import Stopped
from gcs_ci_lock.platforms.github import GitHubStep
from gcs_ci_lock.system.clock import SystemClock, SystemRandom
from gcs_ci_lock.system.console import write_line
from gcs_ci_lock.system.signals import SignalStop, StopWhen
from gcs_ci_lock.wiring import connect, connect_engine, open_lease, resolve_credentials


def run_stage(name: str) -> int:
    """Run one stage; return the exit code.

    Args:
        name: `entrypoint` for main, `entrypoint-post` for post.
    """
    random = SystemRandom()
    step = GitHubStep(
        os.environ,
        write=_print,
        delimiter=lambda: f"gcs-ci-lock-{random.lease_id()}",
    )
    try:
        return _stage(name, step, os.environ)
    except LockError as error:
        step.error(str(error))
        return error.exit_code
    except Exception as error:  # noqa: BLE001 - a traceback does not help at 3 a.m.
        step.error(f"gcs-ci-lock failed unexpectedly: {type(error).__name__}: {error}")
        return 1


def _stage(name: str, step: GitHubStep, environ: Mapping[str, str]) -> int:
    # The first signal does not end a stage; a stage that waits checks for it.
    if name == "entrypoint-post":
        SignalStop.installed()
        return _post(step, environ)
    mode = choice(step, "mode", MODES)
    signals = SignalStop.installed()
    state = StepState(step, environ)
    # Nothing of an earlier attempt may reach the post stage; `check` and `release` save nothing.
    state.clear()
    if mode in ("acquire", "hold"):
        return _acquire(step, environ, state=state, signals=signals, hold=mode == "hold")
    # Imported here, because no stage needs the code of the others, and each should start quickly.
    from gcs_ci_lock.action.check import check  # noqa: PLC0415
    from gcs_ci_lock.action.release import release  # noqa: PLC0415

    clock = SystemClock()
    run = check if mode == "check" else release
    return run(
        step,
        state=state,
        engine=partial(connect_engine, environ, clock),
        open_lease=partial(open_lease, environ=environ),
    )


def _acquire(
    step: GitHubStep,
    environ: Mapping[str, str],
    *,
    state: StepState,
    signals: SignalStop,
    hold: bool,
) -> int:
    from gcs_ci_lock.action.acquire import Acquirer, acquire  # noqa: PLC0415 - as above
    from gcs_ci_lock.action.hold import hold as hold_until_stopped  # noqa: PLC0415

    clock = SystemClock()
    inputs = ActionInputs.of(step, environ)
    step.mask(inputs.job.token)
    # Report a wrong input before anything else is done.
    inputs.requests(renewed=hold or inputs.keep_alive != "none")
    credentials = resolve_credentials(
        environ,
        endpoint=inputs.endpoint,
        credentials_json=step.input("credentials-json"),
        provider=step.input("workload-identity-provider"),
        service_account=step.input("service-account"),
    )
    for secret in credentials.secrets():
        step.mask(secret)
    end = JobEnd.watching(inputs.job.event_path)
    acquirer = Acquirer(
        step=step,
        inputs=inputs,
        state=state,
        credentials=credentials,
        connect=partial(
            connect, endpoint=inputs.endpoint or None, environ=environ, pinned=credentials
        ),
        verifier=inputs.verifier(environ, clock),
        clock=clock,
        # A container whose job is over must never claim.
        stop=StopWhen(signals, lambda: end.why_over() != "", clock),
    )
    if hold:
        result = hold_until_stopped(acquirer)
    else:
        result = acquire(acquirer, engine=partial(connect_engine, environ, clock))
    return signals.exit_code if isinstance(result, Stopped) else result


def _post(step: GitHubStep, environ: Mapping[str, str]) -> int:
    from gcs_ci_lock.action.post import post  # noqa: PLC0415 - as above

    clock = SystemClock()
    return post(
        step,
        state=StepState(step, environ),
        event_path=environ.get("GITHUB_EVENT_PATH", ""),
        engine=partial(connect_engine, environ, clock),
        open_lease=partial(open_lease, environ=environ),
        random=SystemRandom(),
    )


def _print(line: str) -> None:
    write_line(sys.stdout, line)
