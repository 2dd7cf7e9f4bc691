"""A dry run: N jobs contend for one lock on this machine, on the embedded storage server."""
