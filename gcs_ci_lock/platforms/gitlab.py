"""GitLab CI/CD: who we are, and how lines are folded away in a job's log.

Source: https://docs.gitlab.com/ci/variables/predefined_variables/ and
https://docs.gitlab.com/ci/jobs/job_logs/ (custom collapsible sections).
"""

import re
from collections.abc import Callable, Mapping, Sequence

from gcs_ci_lock.protocol.record import Owner
from gcs_ci_lock.protocol.text import printable

_LONGEST_LINE = 1000
_CLEAR = "\x1b[0K"
# Without the control characters around it GitLab takes it for text; other readers may not.
_MARKER = re.compile(r"section_(start|end):")


def owner(environ: Mapping[str, str]) -> Owner:
    """Return the job that runs this."""
    get = environ.get
    return Owner(
        platform="gitlab",
        repository=get("CI_PROJECT_PATH", ""),
        workflow=get("CI_PIPELINE_NAME") or get("CI_PIPELINE_SOURCE", ""),
        job=get("CI_JOB_NAME", ""),
        run_id=get("CI_JOB_ID", ""),
        url=get("CI_JOB_URL", ""),
        actor=get("GITLAB_USER_LOGIN", ""),
        ref=get("CI_COMMIT_REF_NAME", ""),
        commit=get("CI_COMMIT_SHA", ""),
        runner=get("CI_RUNNER_DESCRIPTION", ""),
    )


class LogSections:
    """Folds lines away in the log of one job; no marker but its own gets into it."""

    def __init__(
        self, write: Callable[[str], object], *, now: Callable[[], float], mark: str
    ) -> None:
        """Write nothing yet.

        Args:
            write: prints text as it is, and ends the line.
            now: seconds since the epoch; only shown.
            mark: a word that no other process of the job uses; letters and digits.
        """
        self._write = write
        self._now = now
        self._mark = mark
        self._count = 0

    def show(self, title: str, lines: Sequence[str]) -> None:
        """Print lines that are folded away under a title."""
        self._count += 1
        name = f"gcs-ci-lock-{self._mark}-{self._count}"
        at = int(self._now())
        # In one piece: what another process prints meanwhile must not get between.
        self._write(
            "\n".join(
                [
                    f"{_CLEAR}section_start:{at}:{name}[collapsed=true]\r{_CLEAR}{_plain(title)}",
                    *map(_plain, lines),
                    f"{_CLEAR}section_end:{at}:{name}\r{_CLEAR}",
                ]
            )
        )


def _plain(line: str) -> str:
    return _MARKER.sub(r"section_\1.", printable(line, _LONGEST_LINE))
