"""Strategy 3: a container beside the job renews the lease; the only importer of docker.

The processes of a container action end with its step. What renews the lease after that is another
container of the same image, started through the engine's socket. It is found, heard and stopped by
the lease id in its label. Nothing is imported here: `messages` is cheap, docker is not.
"""
