"""The command line: one module for each command, their signatures in `commands`."""
