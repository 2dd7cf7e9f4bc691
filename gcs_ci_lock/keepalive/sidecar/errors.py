"""When there can be no sidecar, and why."""

import requests
from docker.errors import DockerException

from gcs_ci_lock.errors import LockError
from gcs_ci_lock.protocol.text import printable

# Whatever talking to an engine can end in.
ENGINE_ERRORS = (DockerException, requests.RequestException, OSError)


class SidecarUnavailable(LockError):
    """No container can be started beside this job; the message says why."""

    exit_code = 2


def describe(error: Exception) -> str:
    """Return why the engine did not do what was asked; one line for people."""
    if isinstance(error, SidecarUnavailable):
        return str(error)
    said = str(getattr(error, "explanation", None) or error)
    code = getattr(error, "status_code", None) or type(error).__name__
    return f"the Docker engine refused ({printable(f'{code}: {said}', limit=200)})"
