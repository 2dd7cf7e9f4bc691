"""Where are we, and who?"""

import getpass
import socket
from collections.abc import Mapping

from gcs_ci_lock.platforms import github, gitlab, local
from gcs_ci_lock.protocol.record import Owner


def detect_owner(environ: Mapping[str, str]) -> Owner:
    """Return the job or person that runs this, as the environment tells it."""
    if environ.get("GITHUB_ACTIONS") == "true":
        return github.owner(environ)
    if environ.get("GITLAB_CI") == "true":
        return gitlab.owner(environ)
    return local.owner(_user(), socket.gethostname())


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container's user id without an account.
        return ""
