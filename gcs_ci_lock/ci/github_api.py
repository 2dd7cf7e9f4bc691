"""GitHub's API, as far as a lock needs it: is the job's token still good, and cancel its run.

Source: https://docs.github.com/en/rest/actions/workflow-runs#cancel-a-workflow-run and
https://docs.github.com/en/rest/rate-limit/rate-limit
"""

import requests

from gcs_ci_lock.core.charge import JobAccess
from gcs_ci_lock.core.text import printable
from gcs_ci_lock.errors import LockError

TIMEOUT = 5.0
_REFUSED = 401
_ACCEPTED = 202
# The run is over, or is being cancelled already.
_CONFLICT = 409


class GitHubApi:
    """One job's access to the API; the token is in no message."""

    def __init__(self, job: JobAccess) -> None:
        """Take the access; no request is made."""
        self._job = job
        self._headers = {
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {job.token}",
            "User-Agent": "gcs-ci-lock",
            "X-GitHub-Api-Version": "2022-11-28",
        }

    def refuses_token(self) -> bool:
        """Tell whether the job's token is refused, as after the job's end.

        Any other answer, and none, say nothing. The request does not count against a rate limit.
        """
        try:
            answer = self._send("GET", "/rate_limit")
        except requests.RequestException:
            return False
        return answer.status_code == _REFUSED

    def cancel_run(self) -> None:
        """Cancel the job's run; it ends as if a person had cancelled it.

        Raises:
            LockError: that was not accepted.
        """
        path = f"/repos/{self._job.repository}/actions/runs/{self._job.run_id}/cancel"
        try:
            answer = self._send("POST", path)
        except requests.RequestException as error:
            message = f"the run could not be cancelled: no answer ({type(error).__name__})"
            raise LockError(message) from None
        if answer.status_code not in (_ACCEPTED, _CONFLICT):
            message = (
                f"the run could not be cancelled: {answer.status_code} "
                f"({printable(answer.text, limit=160)}); expected a github-token with the "
                "permission `actions: write`"
            )
            raise LockError(message)

    def _send(self, method: str, path: str) -> requests.Response:
        with requests.Session() as session:
            # Else a password of ~/.netrc would replace the token.
            session.auth = _unchanged
            return session.request(
                method,
                self._job.api_url.rstrip("/") + path,
                headers=self._headers,
                timeout=TIMEOUT,
                allow_redirects=False,
            )


def _unchanged(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request
