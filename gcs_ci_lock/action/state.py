"""What a step leaves for its own later stages, and for the other steps of its job.

The leases, without secrets, in the runner's state; and all that is needed to go on with each,
secrets included, in a file beside the job's event. act hands no state on, credentials can be gone
by the time of the post step, and other steps of the job are to find the leases: they all have the
files.
"""

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from gcs_ci_lock.errors import UsageError
from gcs_ci_lock.keepalive.lease_ref import Handover
from gcs_ci_lock.keepalive.sidecar.messages import Charge
from gcs_ci_lock.platforms.github import GitHubStep
from gcs_ci_lock.system.private_file import read_private, write_private

STATE: Final = "lease"
_PREFIX: Final = "gcs-ci-lock-"
_SOURCE: Final = "the step's lease file"


class StepFiles:
    """The leases of one step of one job, a file each."""

    def __init__(self, step: GitHubStep, environ: Mapping[str, str]) -> None:
        """Take the step; nothing is read or written."""
        self._step = step
        event = environ.get("GITHUB_EVENT_PATH")
        self._folder = Path(event).parent if event else None
        keys = ("GITHUB_RUN_ID", "GITHUB_RUN_ATTEMPT", "GITHUB_JOB", "GITHUB_ACTION")
        # The same in all stages of one step. A composite action that is used twice has it twice:
        # the files are told apart by their leases.
        named = "\n".join(environ.get(key, "") for key in keys)
        self.step_id = hashlib.sha256(named.encode(errors="replace")).hexdigest()[:32]
        # Lock -> what this stage has left of it.
        self._left: dict[str, Charge] = {}

    def write(self, charge: Charge) -> None:
        """Leave a lease; of one lock the last one counts."""
        name = charge.handover.name
        if (earlier := self._left.get(name)) and earlier.handover.lease != charge.handover.lease:
            self._unlink(earlier.handover)
        self._left[name] = charge
        self._save_state()
        path = self._path(charge.handover)
        if path is not None:
            # A runner without that folder hands the state on.
            with suppress(OSError):
                write_private(path, charge.encoded())

    def drop(self, handover: Handover) -> None:
        """Leave nothing of a lease."""
        self._left.pop(handover.name, None)
        self._save_state()
        self._unlink(handover)

    def clear(self) -> None:
        """Leave nothing."""
        for charge in [*self._left.values()]:
            self._unlink(charge.handover)
        self._left.clear()
        self._save_state()

    def handovers(self) -> list[Handover]:
        """Return the leases that the step's first stage has left, in the order of their locks.

        Raises:
            UsageError: what is there is no lease.
        """
        if text := self._step.state(STATE):
            lines = text.splitlines()
            return [Handover.decode(line, source="the step's state") for line in lines]
        return self.handovers_in_files()

    def handovers_in_files(self) -> list[Handover]:
        """Return likewise what stands in the files, whatever the runner hands on.

        Raises:
            UsageError: what is there is no lease.
        """
        charges = self._read_all(f"{_PREFIX}{self.step_id}-*.json")
        return sorted((charge.handover for charge in charges), key=lambda one: one.name)

    @property
    def says_nothing_is_left(self) -> bool:
        """Tell whether the runner hands state on, and the first stage has left no lease in it."""
        return self._step.state(STATE) == ""

    def charge(self, handover: Handover) -> Charge | None:
        """Return what the step's first stage has left in the file of a lease, or None.

        Raises:
            UsageError: what is there is something else.
        """
        path = self._path(handover)
        charge = _read(path) if path else None
        return charge if charge and charge.handover.lease == handover.lease else None

    def charges_of_job(self, name: str) -> list[Charge]:
        """Return what all steps of this job have left, oldest first.

        Args:
            name: the lock that is meant, or "" for all.

        Raises:
            UsageError: one of them is something else.
        """
        found = self._read_all(f"{_PREFIX}*.json") if self._folder else []
        return sorted(
            (c for c in found if name in ("", c.handover.name) and c.handover.token),
            key=lambda c: (c.handover.granted_at, c.handover.name),
        )

    def forget_of_job(self, charge: Charge) -> None:
        """Remove the file of a lease that was released, whichever step has left it."""
        if self._folder is not None:
            for path in self._folder.glob(f"{_PREFIX}*-{charge.handover.lease}.json"):
                with suppress(OSError):
                    path.unlink()

    def _read_all(self, pattern: str) -> list[Charge]:
        paths = sorted(self._folder.glob(pattern)) if self._folder else []
        return [charge for path in paths if (charge := _read(path)) is not None]

    def _path(self, handover: Handover) -> Path | None:
        if self._folder is None:
            return None
        return self._folder / f"{_PREFIX}{self.step_id}-{handover.lease}.json"

    def _save_state(self) -> None:
        lines = [charge.handover.encoded() for charge in self._left.values()]
        self._step.save_state(STATE, "\n".join(lines))

    def _unlink(self, handover: Handover) -> None:
        if (path := self._path(handover)) is not None:
            with suppress(OSError):
                path.unlink(missing_ok=True)


def _read(path: Path) -> Charge | None:
    try:
        text = read_private(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        message = f"{_SOURCE} {path} cannot be used: {error.strerror}"
        raise UsageError(message) from None
    return Charge.decode(text, source=_SOURCE)
