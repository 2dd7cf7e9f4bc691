"""An observer that draws a wait on a terminal, and removes the drawing when the wait is over.

Foreign text is drawn as `rich.text.Text` of printable characters, never as markup.
"""

from collections.abc import Callable
from typing import Self

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.style import Style
from rich.table import Table
from rich.text import Text

from gcs_ci_lock.protocol.text import printable
from gcs_ci_lock.protocol.wait_status import WaitStatus
from gcs_ci_lock.report.messages import WaitRow, wait_rows

MOST_SHOWN = 3
_BAR_WIDTH = 24


class WaitDisplay:
    """A `WaitObserver` that draws on every call, in the caller's thread.

    Args:
        console: the terminal; writing to its stream must not raise.
        on_claim: gets the lease id before the lock is claimed.
    """

    def __init__(self, console: Console, *, on_claim: Callable[[str], None]) -> None:
        self._on_claim = on_claim
        self._live = Live(
            console=console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def on_claim(self, lease: str) -> None:
        """Pass the lease id on."""
        self._on_claim(lease)

    def on_wait(self, status: WaitStatus) -> None:
        """Draw the status over the previous one."""
        if status.budget <= 0:
            # Nothing is waited for: the timeout error says it all.
            return
        if not self._live.is_started:
            self._live.start()
            # A hidden cursor would stay hidden if this process is killed.
            self._live.console.show_cursor()
        self._live.update(picture(status), refresh=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()


def picture(status: WaitStatus) -> RenderableType:
    """Return the rows of a wait in a frame, with a bar for the time waited."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    for row in wait_rows(status, most_holders=MOST_SHOWN):
        table.add_row(row.label, _cell(row, status))
    title = Text(f'Waiting for lock "{printable(status.name)}"', style="bold")
    panel = Panel(table, title=title, title_align="left", box=box.ROUNDED)
    # The cursor stays below the frame: a terminal echoes ^C there without breaking a full line.
    return Group(panel, Text())


def _cell(row: WaitRow, status: WaitStatus) -> RenderableType:
    match row.label:
        case "held by":
            return _holder(row)
        case "waited":
            return _time(row, status)
        case "frozen":
            return Text(row.text, style="cyan")
        case "problem":
            return Text(row.text, style="red")
        case _:
            return Text(row.text)


def _holder(row: WaitRow) -> RenderableType:
    linked = Style(link=row.page) if row.page else Style()
    lines = [Text(row.text, style=Style(bold=True) + linked)]
    if row.page:
        # Visible too if the terminal knows no links; a click opens the whole address even if the
        # text is cut.
        dim = Style(dim=True) + linked
        lines.append(Text(row.page, style=dim, no_wrap=True, overflow="ellipsis"))
    lines.append(Text(row.details))
    return Group(*lines)


def _time(row: WaitRow, status: WaitStatus) -> RenderableType:
    done = min(max(status.waited, 0.0), status.budget)
    bar = ProgressBar(total=status.budget, completed=done, width=_BAR_WIDTH)
    table = Table.grid(padding=(0, 2))
    table.add_row(bar, Text(row.text))
    return table
