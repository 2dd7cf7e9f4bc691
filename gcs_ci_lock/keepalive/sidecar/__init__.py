"""The keeper as a container beside the job; the only importer of docker.

A container action's processes end with its step. What goes on keeping the lease is a container of
the same image, made through the engine's socket: found, heard and stopped by the lease id that it
carries as its label.
"""

from gcs_ci_lock.keepalive.sidecar.engine import Engine, connect
from gcs_ci_lock.keepalive.sidecar.errors import SidecarUnavailable
from gcs_ci_lock.keepalive.sidecar.keeper_container import KeeperContainer, KeeperOutput
from gcs_ci_lock.keepalive.sidecar.launch import LaunchAttempt
from gcs_ci_lock.keepalive.sidecar.own_container import OwnContainer

__all__ = [
    "Engine",
    "KeeperContainer",
    "KeeperOutput",
    "LaunchAttempt",
    "OwnContainer",
    "SidecarUnavailable",
    "connect",
]
