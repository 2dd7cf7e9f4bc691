"""Which CI systems can be asked from here, and with what."""

from collections.abc import Callable, Mapping

from gcs_ci_lock.platforms.github import counts_attempts_of_jobs
from gcs_ci_lock.platforms.github_api import RunApi
from gcs_ci_lock.platforms.gitlab_api import GitLabClient
from gcs_ci_lock.platforms.verifier import BackgroundVerifier, NoVerifier
from gcs_ci_lock.ports import Clock, Verifier
from gcs_ci_lock.protocol.record import Owner

Ask = Callable[[Owner], str]


def verifier_of(environ: Mapping[str, str], *, github_token: str, clock: Clock) -> Verifier:
    """Return who can ask about the holders of a lock; each CI system is asked about its own.

    Args:
        environ: GITHUB_API_URL and GITHUB_SERVER_URL, without both of them github.com, and
            GITHUB_TOKEN; CI_API_V4_URL and CI_SERVER_URL, and GCS_CI_LOCK_GITLAB_TOKEN or
            CI_JOB_TOKEN.
        github_token: counts before GITHUB_TOKEN; "" if none was given; secret.
        clock: tells when one may ask again.
    """
    possible = {"github": _github(environ, github_token), "gitlab": _gitlab(environ)}
    asks = {platform: ask for platform, ask in possible.items() if ask is not None}
    if not asks:
        return NoVerifier()

    def ask(owner: Owner) -> str:
        known = asks.get(owner.platform)
        return known(owner) if known is not None else ""

    return BackgroundVerifier(ask, clock)


def _github(environ: Mapping[str, str], token: str) -> Ask | None:
    token = token or environ.get("GITHUB_TOKEN", "")
    api_url, server_url = environ.get("GITHUB_API_URL", ""), environ.get("GITHUB_SERVER_URL", "")
    if not api_url and not server_url:
        api_url, server_url = "https://api.github.com", "https://github.com"
    # Under act every run has the number 1.
    if environ.get("ACT") == "true" or counts_attempts_of_jobs(environ):
        return None
    # One address alone could belong to another server.
    if not (token and api_url and server_url):
        return None
    return RunApi(api_url=api_url, server_url=server_url, token=token).completed


def _gitlab(environ: Mapping[str, str]) -> Ask | None:
    get = environ.get
    api_url, server_url = get("CI_API_V4_URL", ""), get("CI_SERVER_URL", "")
    token, job_token = get("GCS_CI_LOCK_GITLAB_TOKEN", ""), get("CI_JOB_TOKEN", "")
    if not (api_url and server_url and (token or job_token)):
        return None
    api = GitLabClient(api_url=api_url, server_url=server_url, token=token, job_token=job_token)
    return api.ended
