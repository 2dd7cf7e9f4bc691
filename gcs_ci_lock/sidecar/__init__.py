"""The keeper as a container beside the job; the only importer of docker.

A container action's processes end with its step. What goes on keeping the lease is a container of
the same image, made through the engine's socket: found, heard and stopped by the lease id that it
carries as its label.
"""

from gcs_ci_lock.sidecar.engine import Engine, connect
from gcs_ci_lock.sidecar.home import Home
from gcs_ci_lock.sidecar.keeping import Heard, Keeping
from gcs_ci_lock.sidecar.refusal import NoSidecar
from gcs_ci_lock.sidecar.starting import Starting

__all__ = ["Engine", "Heard", "Home", "Keeping", "NoSidecar", "Starting", "connect"]
