"""`python -m tests.simulation`: many seeds, or one with its trace."""

import argparse
import gc
import multiprocessing
import sys
from collections.abc import Iterable
from functools import partial

from gcs_ci_lock.system.clock import SystemClock
from tests.simulation.properties import BrokenError
from tests.simulation.world import World

BATCH = 100


def broken_in(seeds: Iterable[int], wanted: str = "") -> tuple[int, str] | None:
    """Return the first seed that breaks a property, or the one wanted, and how; or None."""
    for seed in seeds:
        try:
            World(seed).run()
        except BrokenError as error:
            if wanted in ("", error.broken):
                return seed, str(error)
    return None


def main() -> int:
    """Run, print, and return 1 if a property was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("--seeds", type=int, default=20_000, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--processes", type=int, default=multiprocessing.cpu_count())
    parser.add_argument("--property", default="", help="pass over breaches of any other")
    parser.add_argument("--seed", type=int, help="one only, with its trace")
    options = parser.parse_args()
    if options.seed is not None:
        return replay(options.seed)
    clock = SystemClock()
    began = clock.boottime()
    last = options.first + options.seeds
    batches = [range(n, min(n + BATCH, last)) for n in range(options.first, last, BATCH)]
    found = None
    # What is loaded by now stays: looking through it again and again costs a tenth of the time.
    with multiprocessing.Pool(options.processes, initializer=gc.freeze) as pool:
        for broken in pool.imap(partial(broken_in, wanted=options.property), batches):
            if broken is not None:
                found = broken
                pool.terminate()
                break
    if found is not None:
        print(f"seed {found[0]}: {found[1]}")
        print(f"replay it: make sim SEED={found[0]}")
        return 1
    print(f"{options.seeds} seeds, no property broken, {clock.boottime() - began:.0f} s")
    return 0


def replay(seed: int) -> int:
    """Run one seed and print what happens."""
    lines: list[str] = []
    # Printed afterwards: a reader that closes the pipe must not happen to the code under test.
    world = World(seed, log=lines.append)
    try:
        world.run()
        verdict, code = f"no property broken; trace {world.trace[:16]}", 0
    except BrokenError as error:
        verdict, code = f"{world.scheduler.now:10.3f} BROKEN {error}", 1
    print(f"seed {seed}: {world.plan}", *lines, verdict, sep="\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
