"""State: what a step saves for its post stage and for the other steps of its job.

The runner's state contains the leases, without secrets. A file per lease, next to the job's event
file, contains all that is needed to continue with it, secrets included. The files are needed
because act passes no state on, credentials may be gone in the post stage, and other steps of the
job must find the leases.
"""

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from gcs_ci_lock.action.inputs import lock_names
from gcs_ci_lock.errors import NotAcquired, UsageError
from gcs_ci_lock.keepalive.lease_ref import LeaseRef
from gcs_ci_lock.keepalive.sidecar.messages import KeeperSpec
from gcs_ci_lock.platforms.github import GitHubStep
from gcs_ci_lock.protocol.text import printable
from gcs_ci_lock.system.private_file import read_private, write_private

STATE: Final = "lease"
_PREFIX: Final = "gcs-ci-lock-"
_SOURCE: Final = "the step's lease file"


class StepState:
    """The leases of one step of one job, one file each.

    Args:
        step: reads and writes the runner's state.
        environ: GITHUB_EVENT_PATH, and the variables that identify the step.

    Attributes:
        step_id: identifies the step among all steps of all jobs.
    """

    def __init__(self, step: GitHubStep, environ: Mapping[str, str]) -> None:
        self._step = step
        event = environ.get("GITHUB_EVENT_PATH")
        self._folder = Path(event).parent if event else None
        keys = ("GITHUB_RUN_ID", "GITHUB_RUN_ATTEMPT", "GITHUB_JOB", "GITHUB_ACTION")
        # The same in all stages of one step. A composite action that is used twice has it twice:
        # the lease ids distinguish the files.
        named = "\n".join(environ.get(key, "") for key in keys)
        self.step_id = hashlib.sha256(named.encode(errors="replace")).hexdigest()[:32]
        # Lock -> what this stage has saved for it so far.
        self._saved: dict[str, KeeperSpec] = {}

    def write(self, spec: KeeperSpec) -> None:
        """Save a lease; it replaces an earlier one of the same lock."""
        name = spec.lease_ref.name
        if (earlier := self._saved.get(name)) and earlier.lease_ref.lease != spec.lease_ref.lease:
            self._unlink(earlier.lease_ref)
        self._saved[name] = spec
        self._save_state()
        path = self._path(spec.lease_ref)
        if path is not None:
            # If the folder is missing, the runner passes the state on.
            with suppress(OSError):
                write_private(path, spec.to_json())

    def discard(self, name: str) -> None:
        """Discard what was saved for a lock."""
        saved = self._saved.pop(name, None)
        self._save_state()
        if saved is not None:
            self._unlink(saved.lease_ref)

    def clear(self) -> None:
        """Discard everything."""
        for spec in self._saved.values():
            self._unlink(spec.lease_ref)
        self._saved.clear()
        self._save_state()

    def lease_refs(self) -> list[LeaseRef]:
        """Return the leases that the main stage saved, in the order of their locks.

        Raises:
            UsageError: the state is damaged.
        """
        if text := self._step.state(STATE):
            lines = text.splitlines()
            return [LeaseRef.from_json(line, source="the step's state") for line in lines]
        return self.lease_refs_in_files()

    def lease_refs_in_files(self) -> list[LeaseRef]:
        """Return the same from the files alone.

        Raises:
            UsageError: a file is damaged.
        """
        specs = self._read_all(f"{_PREFIX}{self.step_id}-*.json")
        return sorted((spec.lease_ref for spec in specs), key=lambda one: one.name)

    @property
    def is_known_empty(self) -> bool:
        """Whether the runner passes state on, and the main stage saved no lease in it."""
        return self._step.state(STATE) == ""

    def keeper_spec(self, lease_ref: LeaseRef) -> KeeperSpec | None:
        """Return what the main stage saved in the file of a lease, or None.

        Raises:
            UsageError: the file is damaged.
        """
        path = self._path(lease_ref)
        spec = _read(path) if path else None
        return spec if spec and spec.lease_ref.lease == lease_ref.lease else None

    def keeper_specs_of_job(self, name: str) -> list[KeeperSpec]:
        """Return what all steps of this job saved, oldest first.

        Args:
            name: the lock, or "" for all.

        Raises:
            UsageError: a file is damaged.
        """
        found = self._read_all(f"{_PREFIX}*.json") if self._folder else []
        return sorted(
            (c for c in found if name in ("", c.lease_ref.name) and c.lease_ref.token),
            key=lambda c: (c.lease_ref.granted_at, c.lease_ref.name),
        )

    def discard_everywhere(self, spec: KeeperSpec) -> None:
        """Delete the file of a released lease, whichever step saved it."""
        if self._folder is not None:
            for path in self._folder.glob(f"{_PREFIX}*-{spec.lease_ref.lease}.json"):
                with suppress(OSError):
                    path.unlink()

    def _read_all(self, pattern: str) -> list[KeeperSpec]:
        paths = sorted(self._folder.glob(pattern)) if self._folder else []
        return [spec for path in paths if (spec := _read(path)) is not None]

    def _path(self, lease_ref: LeaseRef) -> Path | None:
        if self._folder is None:
            return None
        return self._folder / f"{_PREFIX}{self.step_id}-{lease_ref.lease}.json"

    def _save_state(self) -> None:
        lines = [spec.lease_ref.to_json() for spec in self._saved.values()]
        self._step.save_state(STATE, "\n".join(lines))

    def _unlink(self, lease_ref: LeaseRef) -> None:
        if (path := self._path(lease_ref)) is not None:
            with suppress(OSError):
                path.unlink(missing_ok=True)


def leases_of_job(step: GitHubStep, state: StepState) -> list[KeeperSpec]:
    """Return the leases of this job whose locks the input `name` names, oldest first.

    Args:
        step: its input `name` names locks, one per line; without it, all leases are returned.
        state: where the steps of this job saved their leases.

    Raises:
        NotAcquired: this job holds no such lock.
        UsageError: a lease file is damaged.
    """
    names = lock_names(step)
    specs = [spec for name in names or [""] for spec in state.keeper_specs_of_job(name)]
    missing = set(names) - {spec.lease_ref.name for spec in specs}
    if missing or not specs:
        lock = f'lock "{printable(min(missing))}"' if missing else "a lock"
        message = (
            f"no earlier step of this job holds {lock}: add a step with `mode: acquire` before "
            "this one"
        )
        raise NotAcquired(message)
    return specs


def _read(path: Path) -> KeeperSpec | None:
    try:
        text = read_private(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        message = f"{_SOURCE} {path} cannot be used: {error.strerror}"
        raise UsageError(message) from None
    return KeeperSpec.from_json(text, source=_SOURCE)
