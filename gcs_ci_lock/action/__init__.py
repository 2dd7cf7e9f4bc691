"""The action's stages: `main` takes the lock, `post` gives it back, others check or release it."""

from gcs_ci_lock.action.main import run_stage

__all__ = ["run_stage"]
