"""Who renews a lease, and until when: a thread, a detached process, a container, or nobody."""
