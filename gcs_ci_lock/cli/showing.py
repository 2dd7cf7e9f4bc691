"""How a wait is shown: folded away in a CI system's log, alive on a terminal, else as lines."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from gcs_ci_lock.ci.github import GitHubStep
from gcs_ci_lock.ci.gitlab import Sections
from gcs_ci_lock.clock import SystemChance, utc_today
from gcs_ci_lock.output import say, write_line
from gcs_ci_lock.ports import Clock, Observer
from gcs_ci_lock.report.progress import Progress, Show, plainly


@contextmanager
def showing(asking: Callable[[str], None], *, clock: Clock) -> Iterator[Observer]:
    """Give an observer that tells people how a wait goes on, on standard error.

    Args:
        asking: is given the lease id before it is claimed.
        clock: for what is repeated.
    """
    yield Progress(_show(os.environ), clock=clock, asking=asking)


def _show(environ: Mapping[str, str]) -> Show:
    # All on one stream: two of them reach a log in any order.
    write = partial(write_line, sys.stderr)
    word = SystemChance().lease_id
    if environ.get("GITHUB_ACTIONS") == "true":
        return GitHubStep(environ, write=write, delimiter=word).group
    if environ.get("GITLAB_CI") == "true":
        return Sections(write, now=lambda: utc_today().timestamp(), mark=word()).show
    return plainly(say)
