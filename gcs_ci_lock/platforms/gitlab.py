"""GitLab CI/CD: which job this is, and how to fold lines in its log.

Source: https://docs.gitlab.com/ci/variables/predefined_variables/ and
https://docs.gitlab.com/ci/jobs/job_logs/ (custom collapsible sections).
"""

import re
from collections.abc import Callable, Mapping, Sequence

from gcs_ci_lock.ports import Ask, Show
from gcs_ci_lock.protocol.record import Owner
from gcs_ci_lock.protocol.text import printable
from gcs_ci_lock.system.clock import SystemRandom, utc_today

name = "gitlab"
marker = "GITLAB_CI"
prefixes: tuple[str, ...] = ("GITLAB_", "CI_")
_MAX_LINE = 1000
_CLEAR = "\x1b[0K"
# GitLab needs the control characters around a marker; other log viewers may not.
_MARKER = re.compile(r"section_(start|end):")


def detect(environ: Mapping[str, str]) -> bool:
    """Return whether this process belongs to a job of GitLab."""
    return environ.get(marker) == "true"


def owner(environ: Mapping[str, str]) -> Owner:
    """Return the job that this process belongs to."""
    get = environ.get
    return Owner(
        platform=name,
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


def log_group(_environ: Mapping[str, str], write: Callable[[str], object]) -> Show:
    """Return what prints folded lines under a title."""
    unique = SystemRandom().lease_id()
    return LogSections(write, now=lambda: utc_today().timestamp(), unique=unique).show


def verifier(environ: Mapping[str, str], token: str) -> Ask | None:
    """Return what asks whether a job is over; None: that is not possible.

    Args:
        environ: CI_API_V4_URL and CI_SERVER_URL, and GCS_CI_LOCK_GITLAB_TOKEN or CI_JOB_TOKEN.
        token: takes precedence over GCS_CI_LOCK_GITLAB_TOKEN; "" if none was given; secret.
    """
    get = environ.get
    api_url, server_url = get("CI_API_V4_URL", ""), get("CI_SERVER_URL", "")
    token, job_token = token or get("GCS_CI_LOCK_GITLAB_TOKEN", ""), get("CI_JOB_TOKEN", "")
    if not (api_url and server_url and (token or job_token)):
        return None
    # Imports `requests`, which few commands need.
    from gcs_ci_lock.platforms.gitlab_api import GitLabClient  # noqa: PLC0415

    client = GitLabClient(api_url=api_url, server_url=server_url, token=token, job_token=job_token)
    return client.job_ended


class LogSections:
    """Folds lines in the log of one job; foreign text cannot add markers.

    Args:
        write: prints text as it is, and ends the line.
        now: returns seconds since the epoch; only shown.
        unique: a word that no other process of the job uses; letters and digits.
    """

    def __init__(
        self, write: Callable[[str], object], *, now: Callable[[], float], unique: str
    ) -> None:
        self._write = write
        self._now = now
        self._unique = unique
        self._count = 0

    def show(self, title: str, lines: Sequence[str]) -> None:
        """Print folded lines under a title."""
        self._count += 1
        name = f"gcs-ci-lock-{self._unique}-{self._count}"
        at = int(self._now())
        # In one write: the output of another process must not get in between.
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
    return _MARKER.sub(r"section_\1.", printable(line, _MAX_LINE))
