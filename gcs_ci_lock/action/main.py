"""The stages of the action as the runner starts them."""

import os
import sys
from collections.abc import Mapping

from gcs_ci_lock.action.inputs import MODES, choice
from gcs_ci_lock.errors import LockError
from gcs_ci_lock.platforms.github import GitHubStep
from gcs_ci_lock.system.clock import SystemRandom
from gcs_ci_lock.system.console import write_line


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
    except Exception as error:  # noqa: BLE001 - a traceback in a log helps nobody at 3 a.m.
        step.error(f"gcs-ci-lock failed unexpectedly: {type(error).__name__}: {error}")
        return 1


def _stage(name: str, step: GitHubStep, environ: Mapping[str, str]) -> int:
    # Imported here: the two stages need little of each other, and each should start quickly.
    if name == "entrypoint-post":
        from gcs_ci_lock.action.post import Giving  # noqa: PLC0415

        return Giving(step, environ).run()
    mode = choice(step, "mode", MODES)
    if mode in ("acquire", "hold"):
        from gcs_ci_lock.action.acquire import Taking  # noqa: PLC0415

        return Taking(step, environ, hold=mode == "hold").run()
    from gcs_ci_lock.action.between import Between  # noqa: PLC0415

    between = Between(step, environ)
    return between.check() if mode == "check" else between.release()


def _print(line: str) -> None:
    write_line(sys.stdout, line)
