"""Serialise deployments in CI with a lock kept in Google Cloud Storage."""
