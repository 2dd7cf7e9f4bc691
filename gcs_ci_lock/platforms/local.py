"""A person's machine, or a CI system that we do not know."""

from gcs_ci_lock.protocol.record import Owner


def owner(user: str, host: str) -> Owner:
    """Return who runs this: the user and the machine.

    Args:
        user: the account's name.
        host: the machine's name.
    """
    return Owner(platform="local", actor=user, runner=host)
