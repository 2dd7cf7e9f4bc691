"""The storm: `python -m tests.chaos.storm --grants 500`.

Workers get locks of an embedded storage server through `ChaosProxy`, again and again, by
`gcs-ci-lock run` as a person types it, and use a fenced resource under them. A disturber kills,
freezes, cuts off and restarts them. What the resource wrote down is judged at the end: nobody may
overlap, and no token may fall. All leases have the shortest ttl, 30 s.
"""

import argparse
import json
import math
import signal
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from random import Random
from types import FrameType
from typing import Final, NoReturn

from gcs_ci_lock.dry_run.emulator import EmbeddedServer
from gcs_ci_lock.system.clock import SystemClock
from tests.chaos.disturber import Disturber
from tests.chaos.figures import LOCKS, Figures, Plan, people
from tests.chaos.processes import command_line, send
from tests.chaos.program import BUCKET, libfaketime
from tests.chaos.proxy import ChaosProxy, Rates
from tests.chaos.resource import judge
from tests.chaos.workers import PORTS_PER_WORKER, Workers

LOOK_EVERY: Final = 0.05
COUNT_EVERY: Final = 0.5
END_WITHIN: Final = 25.0


def storm(plan: Plan) -> Figures:
    """Let a storm rage, and return what it did; nothing of it is left."""
    figures = Figures(seed=plan.seed)
    ports = PORTS_PER_WORKER * plan.workers
    with (
        tempfile.TemporaryDirectory(prefix="chaos-") as folder,
        EmbeddedServer(SystemClock()) as server,
    ):
        server.create_bucket(BUCKET)
        with ChaosProxy(server.endpoint, ports=ports, seed=plan.seed, rates=Rates()) as proxy:
            workers = Workers(plan, figures, Path(folder), proxy)
            try:
                _rage(plan, figures, workers, proxy)
                _calm_down(figures, workers)
            finally:
                workers.kill_all()
        _judge(figures, workers)
    return figures


def _rage(plan: Plan, figures: Figures, workers: Workers, proxy: ChaosProxy) -> None:
    clock = SystemClock()
    began = next_count = clock.boottime()
    disturber = Disturber(workers, figures, proxy, Random(plan.seed))
    disturber.begin()
    while (now := clock.boottime()) < began + plan.seconds:
        if now >= next_count:
            if workers.grants >= plan.grants:
                break
            next_count = now + COUNT_EVERY
        workers.fill_up()
        disturber.go_on()
        clock.sleep(LOOK_EVERY)
    proxy.calm()
    disturber.end()
    figures.seconds = round(clock.boottime() - began, 1)
    figures.faults = dict(sorted(proxy.counts.items()))


def _calm_down(figures: Figures, workers: Workers) -> None:
    """Tell everybody to stop, and count who does not."""
    for run in workers.runs.values():
        if run.lives:
            send(run.pid, signal.SIGTERM)
    workers.until(lambda: not any(run.lives for run in workers.runs.values()), END_WITHIN)
    workers.until(lambda: not workers.processes(), 1.0)
    left = workers.processes()
    figures.left_over += len(left)
    figures.surprises.extend(f"left over: {command_line(pid)}" for pid in left)
    workers.account_ended()


def _judge(figures: Figures, workers: Workers) -> None:
    for name, ledger in workers.ledgers.items():
        verdict = judge(ledger.notes(), slots=LOCKS[name])
        figures.grants += verdict.grants
        figures.overlaps += verdict.overlaps
        figures.falling += verdict.falling
        figures.refused += verdict.refused
        figures.most[name] = verdict.most


def _interrupted(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def main() -> int:
    """Rage, print one line of JSON, and lines for people on standard error."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.storm")
    parser.add_argument("--grants", type=int, default=500, help="end after so many (500)")
    parser.add_argument("--seconds", type=float, default=math.inf, help="end after this long")
    parser.add_argument("--seed", type=int, default=1, help="of every choice (1)")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, _interrupted)
    if libfaketime() is None:
        sys.stderr.write("libfaketime is not installed: all clocks are true ones\n")
    try:
        plan = Plan(grants=options.grants, seconds=options.seconds, seed=options.seed)
        figures = storm(plan)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    sys.stdout.write(json.dumps(asdict(figures)) + "\n")
    sys.stdout.flush()
    sys.stderr.write(people(figures))
    return 0 if figures.good else 1


if __name__ == "__main__":
    sys.exit(main())
