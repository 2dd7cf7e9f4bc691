"""GitLab CI/CD: who we are.

Source: https://docs.gitlab.com/ci/variables/predefined_variables/
"""

from collections.abc import Mapping

from gcs_ci_lock.core.record import Owner


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
