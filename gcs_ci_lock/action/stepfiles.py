"""What a step leaves for its own later stages, and for the other steps of its job.

The lease, without secrets, in the runner's state; and all that is needed to go on with it, secrets
included, in a file beside the job's event. act hands no state on, credentials can be gone by the
time of the post step, and other steps of the job are to find the lease: they all have the file.
"""

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from gcs_ci_lock.ci.github import GitHubStep
from gcs_ci_lock.core.charge import Charge
from gcs_ci_lock.core.handover import Handover
from gcs_ci_lock.errors import UsageError
from gcs_ci_lock.privatefile import read_private, write_private

STATE: Final = "lease"
_PREFIX: Final = "gcs-ci-lock-"
_SOURCE: Final = "the step's lease file"


class StepFiles:
    """The files of one step of one job."""

    def __init__(self, step: GitHubStep, environ: Mapping[str, str]) -> None:
        """Take the step; nothing is read or written."""
        self._step = step
        event = environ.get("GITHUB_EVENT_PATH")
        self._folder = Path(event).parent if event else None
        keys = ("GITHUB_RUN_ID", "GITHUB_RUN_ATTEMPT", "GITHUB_JOB", "GITHUB_ACTION")
        # The same in all stages of one step, and another one in every other step of the job.
        named = "\n".join(environ.get(key, "") for key in keys)
        self.step_id = hashlib.sha256(named.encode(errors="replace")).hexdigest()[:32]
        self._path = self._folder / f"{_PREFIX}{self.step_id}.json" if self._folder else None

    def write(self, charge: Charge) -> None:
        """Leave a lease; the last one counts."""
        self._step.save_state(STATE, charge.handover.encoded())
        if self._path is not None:
            # A runner without that folder hands the state on.
            with suppress(OSError):
                write_private(self._path, charge.encoded())

    def clear(self) -> None:
        """Leave nothing."""
        self._step.save_state(STATE, "")
        self.forget()

    def forget(self) -> None:
        """Remove the file: one of an earlier job is not ours."""
        if self._path is not None:
            with suppress(OSError):
                self._path.unlink(missing_ok=True)

    def handover(self) -> Handover | None:
        """Return the lease that the step's first stage has left, or None.

        Raises:
            UsageError: what is there is no lease.
        """
        if text := self._step.state(STATE):
            return Handover.decode(text, source="the step's state")
        charge = self.charge()
        return charge.handover if charge else None

    @property
    def says_nothing_is_left(self) -> bool:
        """Tell whether the runner hands state on, and the first stage has left no lease in it."""
        return self._step.state(STATE) == ""

    def charge(self) -> Charge | None:
        """Return what the step's first stage has left in its file, or None.

        Raises:
            UsageError: what is there is something else.
        """
        return _read(self._path) if self._path else None

    def charges_of_job(self, name: str) -> list[Charge]:
        """Return what all steps of this job have left, oldest first.

        Args:
            name: the lock that is meant, or "" for all.

        Raises:
            UsageError: one of them is something else.
        """
        if self._folder is None:
            return []
        paths = sorted(self._folder.glob(f"{_PREFIX}*.json"))
        found = [charge for path in paths if (charge := _read(path)) is not None]
        return sorted(
            (c for c in found if name in ("", c.handover.name) and c.handover.token),
            key=lambda c: c.handover.granted_at,
        )


def _read(path: Path) -> Charge | None:
    try:
        text = read_private(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        message = f"{_SOURCE} {path} cannot be used: {error.strerror}"
        raise UsageError(message) from None
    return Charge.decode(text, source=_SOURCE)
