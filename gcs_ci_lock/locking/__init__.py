"""The locking engine: acquire, queue, renew, release; knows no vendor, clock or environment."""
