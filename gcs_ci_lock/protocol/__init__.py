"""The pure core: data and rules of the lock; no I/O, clock, randomness or environment."""
