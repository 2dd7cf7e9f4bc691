"""The action: one module for each `mode:`, and one for the post stage."""

from gcs_ci_lock.action.main import run_stage

__all__ = ["run_stage"]
