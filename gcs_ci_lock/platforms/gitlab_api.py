"""GitLab's API: whether a job is over.

Source: https://docs.gitlab.com/api/jobs/#get-a-single-job and
https://docs.gitlab.com/ci/jobs/ci_job_token/#job-token-access
"""

from typing import Final
from urllib.parse import quote

from gcs_ci_lock.platforms import gitlab
from gcs_ci_lock.platforms.http import Fetch, get_json, is_below, is_number, is_path
from gcs_ci_lock.protocol.record import Owner

# A job in `canceling` still runs its after_script; one in `skipped` or `manual` has never run.
_ENDED: Final = ("success", "failed", "canceled")
# A group may have 20 levels of subgroups.
_MAX_SEGMENTS: Final = 22


class GitLabClient:
    """GitLab's API with one token, which no message shows.

    Needs an access token with `read_api` for the holder's project. Without one it uses the token of
    the job, which according to GitLab's documentation may only use `GET /job` of the Jobs API:
    expect refusals, which prove nothing.

    Args:
        api_url: CI_API_V4_URL.
        server_url: the address of that server's pages.
        token: an access token, or ""; secret.
        job_token: CI_JOB_TOKEN, used without an access token; secret.
        fetch: gets a document.
    """

    def __init__(
        self,
        *,
        api_url: str,
        server_url: str,
        token: str,
        job_token: str = "",
        fetch: Fetch = get_json,
    ) -> None:
        self._api_url = api_url.rstrip("/")
        self._server_url = server_url.rstrip("/")
        self._headers = {"PRIVATE-TOKEN": token} if token else {"JOB-TOKEN": job_token}
        self._fetch = fetch

    def job_ended(self, owner: Owner) -> str:
        """Return the proof that the job of an owner has ended, or "".

        GitLab also calls a job ended that it has given up, because its runner was lost, or that was
        just canceled on an old runner: a process of that job may still be alive.

        Args:
            owner: from a record; untrusted.
        """
        project, job = owner.repository, owner.run_id
        if owner.platform != gitlab.name or not is_path(project, least=2, most=_MAX_SEGMENTS):
            return ""
        page = f"{self._server_url}/{project}/-/jobs/{job}"
        if not (is_number(job) and is_below(owner.url, page)):
            return ""
        url = f"{self._api_url}/projects/{quote(project, safe='')}/jobs/{job}"
        return _job_over(self._fetch(url, self._headers), job)


def _job_over(document: object, job: str) -> str:
    match document:
        case {"id": int() as number, "status": str() as status, "finished_at": str() as at}:
            # Compared as texts, because True equals 1 in Python.
            if str(number) == job and status in _ENDED and at:
                return f"GitLab says that job {job} has ended ({status})"
        case _:
            pass
    return ""
