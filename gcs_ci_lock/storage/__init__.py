"""Implementations of `ports.ObjectStore`: Cloud Storage, and a bucket in memory."""
