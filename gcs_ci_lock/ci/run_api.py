"""GitHub's and GitLab's word on whether a job is over.

Owners come from a record that strangers may have written: what is not of the plain form that the
CI system itself gives is not asked about, and a job of another server neither.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

from gcs_ci_lock.ci.asking import ask
from gcs_ci_lock.ci.verifying import Ask, BackgroundVerifier, NoVerifier, first_proof
from gcs_ci_lock.core.record import Owner
from gcs_ci_lock.core.text import printable
from gcs_ci_lock.ports import Clock, Verifier

_SEGMENT: Final = re.compile(r"[A-Za-z0-9_.-]{1,255}")
_NUMBER: Final = re.compile(r"[0-9]{1,18}")
# Ended for good: a job that is being cancelled still runs its after_script.
_ENDED: Final = ("success", "failed", "canceled")


@dataclass(frozen=True, slots=True, kw_only=True)
class GitHubRuns:
    """Run attempts of one GitHub server.

    Attributes:
        api_url: as GITHUB_API_URL.
        server_url: as GITHUB_SERVER_URL.
        token: needs `actions: read` for the holder's repository; secret.
    """

    api_url: str
    server_url: str
    token: str = field(repr=False)
    clock: Clock

    def proof(self, owner: Owner) -> str:
        """Return the proof that a run attempt is completed, or "".

        Source: https://docs.github.com/en/rest/actions/workflow-runs#get-a-workflow-run-attempt
        """
        run, attempt = owner.run_id, owner.attempt or "1"
        page = f"{self.server_url}/{owner.repository}/actions/runs/{run}"
        plain = _is_path(owner.repository, least=2, most=2) and _are_numbers(run, attempt)
        if owner.platform != "github" or not plain or not _is_page(owner.url, page):
            return ""
        answer = ask(
            f"{self.api_url}/repos/{owner.repository}/actions/runs/{run}/attempts/{attempt}",
            {
                "Accept": "application/vnd.github+json",
                "Authorization": f"Bearer {self.token}",
                "User-Agent": "gcs-ci-lock",
                "X-GitHub-Api-Version": "2022-11-28",
            },
            self.clock,
        )
        if answer is None or answer.get("status") != "completed":
            return ""
        if (answer.get("id"), answer.get("run_attempt")) != (int(run), int(attempt)):
            return ""
        conclusion = printable(str(answer.get("conclusion")), limit=40)
        return f"GitHub says that run {run}, attempt {attempt}, is completed ({conclusion})"


@dataclass(frozen=True, slots=True, kw_only=True)
class GitLabJobs:
    """Jobs of one GitLab server.

    A personal, project or group token needs `read_api`; a job's own token is answered only where
    the project's fine-grained permissions let it read jobs, else nothing is known.

    Attributes:
        api_url: as CI_API_V4_URL.
        server_url: as CI_SERVER_URL.
        headers: with the token; secret.
    """

    api_url: str
    server_url: str
    headers: Mapping[str, str] = field(repr=False)
    clock: Clock

    def proof(self, owner: Owner) -> str:
        """Return the proof that a job has ended, or "".

        Source: https://docs.gitlab.com/api/jobs/#get-a-single-job
        """
        job, project = owner.run_id, owner.repository
        page = f"{self.server_url}/{project}/-/jobs/{job}"
        plain = _is_path(project, least=2, most=20) and _are_numbers(job)
        if owner.platform != "gitlab" or not plain or not _is_page(owner.url, page):
            return ""
        url = f"{self.api_url}/projects/{quote(project, safe='')}/jobs/{job}"
        answer = ask(url, {**self.headers, "User-Agent": "gcs-ci-lock"}, self.clock)
        if answer is None or answer.get("id") != int(job) or not answer.get("finished_at"):
            return ""
        status = answer.get("status")
        return f"GitLab says that job {job} has ended ({status})" if status in _ENDED else ""


def verifier_of(environ: Mapping[str, str], *, github_token: str, clock: Clock) -> Verifier:
    """Return who can be asked about holders from here.

    Args:
        environ: GITHUB_API_URL and GITHUB_SERVER_URL; CI_API_V4_URL, CI_SERVER_URL, CI_JOB_TOKEN
            and GCS_CI_LOCK_GITLAB_TOKEN.
        github_token: a token for GitHub, or "".
        clock: for the time between two questions.
    """
    asked: list[Ask] = []
    # Under act every run has the number 1, of a server that never saw it.
    if github_token and github_token.isascii() and environ.get("ACT") != "true":
        runs = GitHubRuns(
            api_url=environ.get("GITHUB_API_URL", "https://api.github.com").rstrip("/"),
            server_url=environ.get("GITHUB_SERVER_URL", "https://github.com").rstrip("/"),
            token=github_token,
            clock=clock,
        )
        asked.append(runs.proof)
    own, job = environ.get("GCS_CI_LOCK_GITLAB_TOKEN", ""), environ.get("CI_JOB_TOKEN", "")
    api, server = environ.get("CI_API_V4_URL", ""), environ.get("CI_SERVER_URL", "")
    if api and server and (own or job):
        jobs = GitLabJobs(
            api_url=api.rstrip("/"),
            server_url=server.rstrip("/"),
            headers={"PRIVATE-TOKEN": own} if own else {"JOB-TOKEN": job},
            clock=clock,
        )
        asked.append(jobs.proof)
    return BackgroundVerifier(first_proof(asked), clock) if asked else NoVerifier()


def _is_path(text: str, *, least: int, most: int) -> bool:
    segments = text.split("/")
    plain = all(_SEGMENT.fullmatch(one) and one not in (".", "..") for one in segments)
    return plain and least <= len(segments) <= most


def _are_numbers(*texts: str) -> bool:
    return all(_NUMBER.fullmatch(text) for text in texts)


def _is_page(url: str, page: str) -> bool:
    return url == page or url.startswith(f"{page}/")
