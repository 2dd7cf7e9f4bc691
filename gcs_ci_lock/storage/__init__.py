"""The implementations of `ports.ObjectStore`."""
