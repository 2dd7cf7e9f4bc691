"""The CI systems: which job this is, how its log folds lines, and how to find out that it is over.

A new CI system is one module with the members of `Platform`, and one entry in `PLATFORMS`.
"""

from collections.abc import Callable, Mapping
from typing import Final, Protocol

from gcs_ci_lock.platforms import github, gitlab, local
from gcs_ci_lock.ports import Ask, Show
from gcs_ci_lock.protocol.record import Owner

# Set by nearly every CI system, known or not.
_ANY_CI: Final = "CI"
_OFF: Final = ("", "0", "false")


class Platform(Protocol):
    """A CI system, implemented by a module without state.

    Attributes:
        name: as in `Owner.platform`.
        marker: the variable that is "true" in its jobs; "" if there is none.
        prefixes: of the names of the variables that it sets.
    """

    name: str
    marker: str
    prefixes: tuple[str, ...]

    def detect(self, environ: Mapping[str, str], /) -> bool:
        """Return whether this process belongs to one of its jobs."""
        ...

    def owner(self, environ: Mapping[str, str], /) -> Owner:
        """Return the job that this process belongs to."""
        ...

    def log_group(
        self, environ: Mapping[str, str], write: Callable[[str], object], /
    ) -> Show | None:
        """Return what prints folded lines in the log of a job; None: its log cannot fold lines.

        Args:
            environ: of the job.
            write: prints text as it is, and ends the line.
        """
        ...

    def verifier(self, environ: Mapping[str, str], token: str, /) -> Ask | None:
        """Return what asks whether a job of this system is over; None: that is not possible.

        Args:
            environ: names the API and the server, also outside this system's jobs.
            token: takes precedence over those in `environ`; "" if none was given; secret.
        """
        ...


# The first that detects its job is used; the last one always does.
PLATFORMS: Final[tuple[Platform, ...]] = (github, gitlab, local)


def current(environ: Mapping[str, str]) -> Platform:
    """Return the CI system that runs this process, or `local`."""
    return next(platform for platform in PLATFORMS if platform.detect(environ))


def in_ci(environ: Mapping[str, str]) -> bool:
    """Return whether any CI system runs this process, known or not.

    Accepts more values than `detect`, because a log with terminal drawings cannot be read.
    """
    markers = (_ANY_CI, *(platform.marker for platform in PLATFORMS))
    return any(environ.get(name, "") not in _OFF for name in markers)
