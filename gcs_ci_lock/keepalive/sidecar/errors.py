"""Why no sidecar can be started."""

import requests
from docker.errors import DockerException

from gcs_ci_lock.errors import LockError
from gcs_ci_lock.protocol.text import printable

# Every way in which a request to an engine can fail.
ENGINE_ERRORS = (DockerException, requests.RequestException, OSError)


class SidecarUnavailable(LockError):
    """No container can be started next to this job; the message says why."""

    exit_code = 2


def describe(error: Exception) -> str:
    """Return why a request to the engine failed: one line for people."""
    if isinstance(error, SidecarUnavailable):
        return str(error)
    text = str(getattr(error, "explanation", None) or error)
    code = getattr(error, "status_code", None) or type(error).__name__
    return f"the Docker engine refused ({printable(f'{code}: {text}', limit=200)})"
