"""Our own container, and the options of a keeper's container next to it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final

from docker.types import LogConfig, Mount

# The user "nonroot" of distroless images: no account of ours, and not root.
USER: Final = "65532:65532"
MEMORY: Final = "128m"
MAX_PROCESSES: Final = 64
_RUNNER_LABEL_LENGTH = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnContainer:
    """Our own container, as the engine sees it.

    Attributes:
        image: the image's digest.
        network: the network mode with which another container joins the same network.
        labels: by which the runner finds its own containers.
        folder: the mount in which the runner's event file is, or None.
    """

    image: str
    network: str
    labels: Mapping[str, str]
    folder: Mapping[str, Any] | None


def container_options(own: OwnContainer) -> dict[str, Any]:
    """Return the options of a container that can only renew a lease."""
    folder = own.folder
    # Only the directory of the event file, which shows the end of the job; it cannot be changed.
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
        "pids_limit": MAX_PROCESSES,
        "tmpfs": {"/tmp": "rw,noexec,nosuid,nodev,size=8m"},  # noqa: S108 - inside the container
        "network_mode": own.network,
        "mounts": mounts,
        "environment": {},
        # The engine can read this log whatever its default is, and it stays small.
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
    """Return the innermost mount that contains a path, or None."""
    around = [
        mount
        for mount in mounts
        if event and PurePosixPath(event).is_relative_to(mount["Destination"])
    ]
    return max(around, key=lambda mount: len(mount["Destination"]), default=None)
