"""GitHub's API: check a token, find out whether a run is over, cancel a run.

Source: https://docs.github.com/en/rest/actions/workflow-runs#cancel-a-workflow-run,
https://docs.github.com/en/rest/actions/workflow-runs#get-a-workflow-run-attempt and
https://docs.github.com/en/rest/rate-limit/rate-limit
"""

from typing import Final

import requests

from gcs_ci_lock.errors import LockError
from gcs_ci_lock.platforms import github
from gcs_ci_lock.platforms.github_job import TokenState
from gcs_ci_lock.platforms.http import (
    Fetch,
    call_within,
    get_json,
    is_below,
    is_number,
    is_path,
)
from gcs_ci_lock.protocol.record import Owner
from gcs_ci_lock.protocol.text import printable
from gcs_ci_lock.system.http_auth import no_auth

# Seconds without a byte.
TIMEOUT: Final = 5.0
# Seconds for the whole response: the caller still has work to finish.
CANCEL_WITHIN: Final = 10.0
# Bytes of a response that are read for an error.
_SHOWN: Final = 4096
_GOOD = 200
_REFUSED = 401
# A token that no header can carry is a ValueError.
_NO_ANSWER = (requests.RequestException, ValueError)
_ACCEPTED = 202
# The run is over, or is being cancelled already.
_CONFLICT = 409


class GitHubClient:
    """GitHub's API with one token, which no message shows.

    Args:
        api_url: GitHub's API.
        token: secret.
        fetch: gets a document.
    """

    def __init__(self, *, api_url: str, token: str, fetch: Fetch = get_json) -> None:
        self._api_url = api_url.rstrip("/")
        self._headers = _headers(token)
        self._fetch = fetch

    def token_state(self) -> TokenState:
        """Return whether GitHub accepts the token; it refuses a job's token after the job's end.

        Any other response, or none, is "unknown". Does not count against a rate limit. Has no
        deadline: call it in a thread that may hang.
        """
        try:
            with self._send("GET", "/rate_limit") as answer:
                status = answer.status_code
        except _NO_ANSWER:
            return "unknown"
        states: dict[int, TokenState] = {_GOOD: "accepted", _REFUSED: "refused"}
        return states.get(status, "unknown")

    def cancel_run(self, repository: str, run_id: str, *, within: float = CANCEL_WITHIN) -> None:
        """Cancel a run; it ends as if a person had cancelled it.

        Args:
            repository: OWNER/NAME.
            run_id: the run.
            within: seconds for the whole response.

        Raises:
            LockError: GitHub did not accept it, or did not answer in time.
        """
        path = f"/repos/{repository}/actions/runs/{run_id}/cancel"
        try:
            status, text = call_within(within, lambda: self._post(path))
        except (*_NO_ANSWER, TimeoutError, RuntimeError) as error:
            message = f"the run could not be cancelled: no answer ({type(error).__name__})"
            raise LockError(message) from None
        if status not in (_ACCEPTED, _CONFLICT):
            message = (
                f"the run could not be cancelled: {status} "
                f"({printable(text, limit=160)}); expected a github-token with the "
                "permission `actions: write`"
            )
            raise LockError(message)

    def run_completed(self, owner: Owner, *, server_url: str) -> str:
        """Return the proof that the run attempt of an owner is over, or "".

        Needs the permission `actions: read` in the owner's repository. GitHub also calls a run
        completed that it has given up, because its runner was lost or the cancellation was forced:
        a process of that run may still be alive.

        Args:
            owner: from a record; untrusted.
            server_url: the address of this server's pages. Runs of other servers are ignored: they
                can have the same number.
        """
        run, attempt = owner.run_id, owner.attempt or "1"
        if owner.platform != github.name or not is_path(owner.repository, least=2, most=2):
            return ""
        page = f"{server_url.rstrip('/')}/{owner.repository}/actions/runs/{run}"
        if not (is_number(run) and is_number(attempt) and is_below(owner.url, page)):
            return ""
        path = f"/repos/{owner.repository}/actions/runs/{run}/attempts/{attempt}"
        return _run_over(self._fetch(self._api_url + path, self._headers), run, attempt)

    def _post(self, path: str) -> tuple[int, str]:
        with self._send("POST", path) as answer:
            body: bytes = next(answer.iter_content(_SHOWN), b"")
            return answer.status_code, body.decode(errors="replace")

    def _send(self, method: str, path: str) -> requests.Response:
        with requests.Session() as session:
            # Otherwise a password in ~/.netrc would replace the token.
            session.auth = no_auth
            return session.request(
                method,
                self._api_url + path,
                headers=self._headers,
                timeout=TIMEOUT,
                allow_redirects=False,
                stream=True,
            )


def _run_over(document: object, run: str, attempt: str) -> str:
    match document:
        case {"id": int() as number, "run_attempt": int() as tried, "status": "completed", **rest}:
            # Compared as texts, because True equals 1 in Python.
            if (str(number), str(tried)) == (run, attempt):
                conclusion = rest.get("conclusion")
                how = f" ({printable(conclusion, limit=40)})" if isinstance(conclusion, str) else ""
                return f"GitHub says that run {run} attempt {attempt} is completed{how}"
        case _:
            pass
    return ""


def _headers(token: str) -> dict[str, str]:
    return {
        "Accept": "application/vnd.github+json",
        "Authorization": f"Bearer {token}",
        "User-Agent": "gcs-ci-lock",
        "X-GitHub-Api-Version": "2022-11-28",
    }
