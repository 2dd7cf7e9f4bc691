"""A person's machine, or a CI system that we do not know."""

from collections.abc import Mapping

from gcs_ci_lock.core.record import Owner


def owner(environ: Mapping[str, str], host: str) -> Owner:
    """Return who runs this: the user and the machine.

    Args:
        environ: USER or LOGNAME.
        host: the machine's name.
    """
    user = environ.get("USER") or environ.get("LOGNAME") or ""
    return Owner(platform="local", actor=user, runner=host)
