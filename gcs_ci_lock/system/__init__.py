"""The operating system: clocks, randomness, signals, files, child processes."""
