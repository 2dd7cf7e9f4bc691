"""Strategy 3: a sidecar container renews the lease; the only importer of docker.

The processes of a container action end with its step. After that, another container of the same
image renews the lease, started through the engine's socket. The lease id in its label identifies
it. Nothing is imported here: `messages` is cheap, docker is not.
"""
