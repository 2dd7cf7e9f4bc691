"""A job on GitHub, as data: how to find out that it is over, and how to cancel its run."""

from dataclasses import dataclass, field
from typing import Literal

TokenState = Literal["accepted", "refused", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GitHubJob:
    """How another process finds out that a job is over, and cancels its run.

    Attributes:
        event_path: a file that the runner deletes when the job is over, or "".
        api_url: GitHub's API, or "".
        repository: OWNER/NAME.
        run_id: the run.
        token: the job's own token, refused once the job is over, or ""; secret.
    """

    event_path: str = ""
    api_url: str = ""
    repository: str = ""
    run_id: str = ""
    token: str = field(default="", repr=False)
