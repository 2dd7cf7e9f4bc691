"""The implementations of `ports.Store`."""
