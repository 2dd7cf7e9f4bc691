"""How a wait is shown: folded in a CI system's log, drawn on a terminal, otherwise as lines."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TextIO

from gcs_ci_lock.platforms import current, in_ci
from gcs_ci_lock.ports import Clock, Show, WaitObserver
from gcs_ci_lock.report.wait_log import WaitLog, print_lines
from gcs_ci_lock.system.console import BestEffortStream, print_err, write_line


@contextmanager
def wait_observer(
    on_claim: Callable[[str], None], *, clock: Clock, lines_between: bool
) -> Iterator[WaitObserver]:
    """Yield an observer that shows the progress of a wait on standard error.

    Args:
        on_claim: called with each lease id before its claim.
        clock: for repeated lines.
        lines_between: whether other lines are printed during the wait, which would break a drawing.
    """
    if lines_between or not _can_draw(sys.stderr, os.environ):
        yield WaitLog(_show(os.environ), clock=clock, on_claim=on_claim)
        return
    # Imported here, because most commands do not wait on a terminal.
    from rich.console import Console

    from gcs_ci_lock.report.wait_live import WaitDisplay

    console = Console(file=BestEffortStream(sys.stderr), force_terminal=True, highlight=False)
    with WaitDisplay(console, on_claim=on_claim) as live:
        yield live


def _can_draw(stream: TextIO | None, environ: Mapping[str, str]) -> bool:
    if in_ci(environ) or environ.get("TERM", "dumb") in ("", "dumb", "unknown"):
        return False
    if stream is None or not stream.encoding.lower().startswith("utf"):
        return False
    try:
        return stream.isatty()
    except ValueError:
        # It is closed.
        return False


def _show(environ: Mapping[str, str]) -> Show:
    # Everything on one stream: two streams reach a log in any order.
    write = partial(write_line, sys.stderr)
    return current(environ).log_group(environ, write) or print_lines(print_err)
