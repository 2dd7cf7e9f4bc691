"""Our own container, and what another one beside it looks like."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final

from docker.types import LogConfig, Mount

# "nobody" of distroless images: no account of ours, and not root.
USER: Final = "65532:65532"
MEMORY: Final = "128m"
MOST_PROCESSES: Final = 64
_RUNNER_LABEL_LENGTH = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnContainer:
    """Our own container, as the engine sees it.

    Attributes:
        image: the image's digest.
        network: the network mode that another container must have to be in the same network.
        labels: those by which the runner finds its own containers.
        folder: the mount in which the runner's event file is, or None.
    """

    image: str
    network: str
    labels: Mapping[str, str]
    folder: Mapping[str, Any] | None


def container_options(home: OwnContainer) -> dict[str, Any]:
    """Return the options of a container that can do nothing but keep a lease."""
    folder = home.folder
    # Nothing of the job but where its end can be seen, and nothing of it can be changed.
    mounts = (
        [
            Mount(
                target=folder["Destination"],
                source=folder.get("Name") or folder["Source"],
                type=folder["Type"],
                read_only=True,
            )
        ]
        if folder is not None
        else []
    )
    return {
        "user": USER,
        "stdin_open": True,
        "auto_remove": True,
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "mem_limit": MEMORY,
        "memswap_limit": MEMORY,
        "pids_limit": MOST_PROCESSES,
        "tmpfs": {"/tmp": "rw,noexec,nosuid,nodev,size=8m"},  # noqa: S108 - inside the container
        "network_mode": home.network,
        "mounts": mounts,
        "environment": {},
        # Readable by the engine whatever its own setting is, and never large.
        "log_config": LogConfig(type="json-file", config={"max-size": "1m", "max-file": "1"}),
    }


def runner_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """Return the runner's own label: six hexadecimal digits without a value.

    Source: actions/runner, `DockerCommandManager.cs`.
    """
    return {
        key: value
        for key, value in labels.items()
        if not value and len(key) == _RUNNER_LABEL_LENGTH and set(key) <= set("0123456789abcdef")
    }


def mount_of(mounts: list[Mapping[str, Any]], event: str) -> Mapping[str, Any] | None:
    """Return the innermost mount that a path is in, or None."""
    around = [
        mount
        for mount in mounts
        if event and PurePosixPath(event).is_relative_to(mount["Destination"])
    ]
    return max(around, key=lambda mount: len(mount["Destination"]), default=None)
