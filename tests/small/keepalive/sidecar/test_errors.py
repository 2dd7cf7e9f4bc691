"""Why an engine did not do what was asked."""

import pytest
from docker.errors import APIError, DockerException

from gcs_ci_lock.keepalive.sidecar.errors import SidecarUnavailable, describe

pytestmark = pytest.mark.example


class Answered:
    status_code = 403
    reason = "Forbidden"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (SidecarUnavailable("there is no socket"), "there is no socket"),
        (OSError("gone"), "the Docker engine refused (OSError: gone)"),
        (DockerException("x" * 300), "the Docker engine refused (DockerException: xxx"),
        (
            APIError("m", response=Answered(), explanation="no\n::error::x"),  # type: ignore[arg-type]
            "the Docker engine refused (403: no",
        ),
    ],
)
def test_an_error_is_one_short_line(error: Exception, words: str) -> None:
    line = describe(error)

    assert line.startswith(words)
    assert line.isprintable()
    assert len(line) < 240
    assert "::error::" not in line
