"""A wait as it stands, drawn on a terminal and taken away when it is over.

Foreign text becomes `rich.text.Text` of printable characters, never markup.
"""

from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.style import Style
from rich.table import Table
from rich.text import Text

from gcs_ci_lock.protocol.record import Holder
from gcs_ci_lock.protocol.text import printable
from gcs_ci_lock.protocol.wait_status import WaitStatus
from gcs_ci_lock.report.format import freeze_text, link, who
from gcs_ci_lock.report.phrases import held_text, position_text, renewals_text, waited_text

MOST_SHOWN = 3
_BAR_WIDTH = 24


class WaitDisplay:
    """An observer of a wait that draws it at every look, in the caller's thread."""

    def __init__(self, console: Console, *, on_claim: Callable[[str], None]) -> None:
        """Draw nothing yet.

        Args:
            console: the terminal; its stream must not fail.
            on_claim: is given the lease id before it is claimed.
        """
        self._on_claim = on_claim
        self._live = Live(
            console=console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def on_claim(self, lease: str) -> None:
        """Hand the lease id on."""
        self._on_claim(lease)

    def on_wait(self, status: WaitStatus) -> None:
        """Draw the situation in the place of the one before."""
        if status.budget <= 0:
            # One try: the refusal says all of it.
            return
        if not self._live.is_started:
            self._live.start()
            # A hidden cursor would outlive a process that is killed.
            self._live.console.show_cursor()
        self._live.update(picture(status), refresh=True)

    def __enter__(self) -> Self:
        """Begin with nothing: a lock that is free is not waited for."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take the drawing away."""
        self._live.stop()


def picture(status: WaitStatus) -> RenderableType:
    """Return who holds the lock, where the waiter stands and how much of its time is over."""
    rows = Table.grid(padding=(0, 2))
    rows.add_column(no_wrap=True, style="dim")
    rows.add_column(overflow="fold")
    record = status.record
    if record.frozen is not None:
        rows.add_row("frozen", Text(freeze_text(record.frozen, status.earliest), style="cyan"))
    for holder in record.holders[:MOST_SHOWN]:
        rows.add_row("held by", _holder(holder, status.earliest))
    if (hidden := len(record.holders) - MOST_SHOWN) > 0:
        rows.add_row("", Text(f"... and {hidden} more"))
    if not record.holders and not record.frozen:
        ahead = status.position.ahead if status.position else ()
        before = f", but {who(ahead[0].owner)} stands before you" if ahead else ""
        rows.add_row("free", Text(f"not yet yours{before}"))
    if full := renewals_text(status):
        rows.add_row("full", Text(full))
    if status.also_holding:
        rows.add_row("you hold", Text(", ".join(status.also_holding)))
    if place := position_text(status):
        rows.add_row("you are", Text(place))
    rows.add_row("time", _time(status))
    if status.trouble:
        rows.add_row("trouble", Text(f"{printable(status.trouble)}; trying again", style="red"))
    title = Text(f'Waiting for lock "{printable(status.name)}"', style="bold")
    panel = Panel(rows, title=title, title_align="left", box=box.ROUNDED)
    # The cursor rests below the frame: there a terminal echoes ^C without breaking a full line.
    return Group(panel, Text())


def _holder(holder: Holder, earliest: float) -> RenderableType:
    page = link(holder.owner)
    linked = Style(link=page) if page else Style()
    lines = [Text(who(holder.owner), style=Style(bold=True) + linked)]
    if page:
        # Seen too where a terminal knows no links; clicked, it is whole even if it is cut here.
        lines.append(Text(page, style=Style(dim=True) + linked, no_wrap=True, overflow="ellipsis"))
    lines.append(Text(held_text(holder, earliest)))
    return Group(*lines)


def _time(status: WaitStatus) -> RenderableType:
    done = min(max(status.waited, 0.0), status.budget)
    bar = ProgressBar(total=status.budget, completed=done, width=_BAR_WIDTH)
    row = Table.grid(padding=(0, 2))
    row.add_row(bar, Text(waited_text(status)))
    return row
