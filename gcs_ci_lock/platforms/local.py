"""A person's machine, or an unknown CI system."""

import getpass
import socket
from collections.abc import Callable, Mapping

from gcs_ci_lock.protocol.record import Owner

name = "local"
marker = ""
prefixes: tuple[str, ...] = ()


def detect(_environ: Mapping[str, str]) -> bool:
    """Return True: this platform is used if no CI system is detected."""
    return True


def owner(_environ: Mapping[str, str]) -> Owner:
    """Return the user and the machine that run this process."""
    return Owner(platform=name, actor=_user(), runner=socket.gethostname())


def log_group(_environ: Mapping[str, str], _write: Callable[[str], object]) -> None:
    """Return None: no way to fold lines is known."""


def verifier(_environ: Mapping[str, str], _token: str) -> None:
    """Return None: nothing can be asked about a person's command."""


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # The user id of a container, without an account.
        return ""
