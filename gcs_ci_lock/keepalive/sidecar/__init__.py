"""The keeper as a container beside the job; the only importer of docker.

A container action's processes end with its step. What goes on keeping the lease is a container of
the same image, made through the engine's socket: found, heard and stopped by the lease id that it
carries as its label.
"""

from gcs_ci_lock.keepalive.sidecar.engine import Engine, connect
from gcs_ci_lock.keepalive.sidecar.errors import NoSidecar
from gcs_ci_lock.keepalive.sidecar.keeper_container import Heard, Keeping
from gcs_ci_lock.keepalive.sidecar.launch import Starting
from gcs_ci_lock.keepalive.sidecar.own_container import Home

__all__ = ["Engine", "Heard", "Home", "Keeping", "NoSidecar", "Starting", "connect"]
