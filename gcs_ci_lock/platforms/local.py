"""A person's machine, or a CI system that we do not know."""

import getpass
import socket
from collections.abc import Callable, Mapping

from gcs_ci_lock.protocol.record import Owner

name = "local"
marker = ""
prefixes: tuple[str, ...] = ()


def detect(_environ: Mapping[str, str]) -> bool:
    """Return True: this is what is left where no CI system is recognised."""
    return True


def owner(_environ: Mapping[str, str]) -> Owner:
    """Return the user and the machine that run this process."""
    return Owner(platform=name, actor=_user(), runner=socket.gethostname())


def log_group(_environ: Mapping[str, str], _write: Callable[[str], object]) -> None:
    """Return None: it is not known how this log folds lines."""


def verifier(_environ: Mapping[str, str], _token: str) -> None:
    """Return None: nobody can be asked about a person's command."""


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container's user id without an account.
        return ""
