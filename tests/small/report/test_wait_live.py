"""The drawing of a wait on a terminal: what it shows, what it never shows, how it ends."""

import io
import re
from dataclasses import replace
from typing import NoReturn

import pytest
from hypothesis import given
from rich.console import Console

from gcs_ci_lock.protocol.queue import QueuePosition
from gcs_ci_lock.protocol.record import Freeze, Owner
from gcs_ci_lock.protocol.wait_status import WaitStatus
from gcs_ci_lock.report.wait_live import WaitDisplay, picture
from gcs_ci_lock.system.console import BestEffortStream
from tests.support.samples import ALICE, HOLDER, NOW, RECORD, TICKET, WAIT_STATUS
from tests.support.strategies import HOSTILE, owners

# Colours, links (their address is judged apart), and nothing else.
STYLE = re.compile(r"\x1b\[[0-9;]*m|\x1b\]8;[a-z0-9=.-]*;(?P<page>[^\x1b]*)\x1b\\")
# What moves the cursor and clears lines: the drawing's own.
MOVES = re.compile(r"\x1b\[(\d*A|2K|\?25[lh])|\r|\n")
BORDERS = str.maketrans("╭╮╰╯─│━╸╺", "         ")
HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"


def terminal(stream: io.StringIO, *, width: int = 80, color: bool = True) -> Console:
    environ = {"TERM": "xterm-256color"} | ({} if color else {"NO_COLOR": "1"})
    return Console(
        file=stream, force_terminal=True, width=width, height=25, highlight=False, _environ=environ
    )


def drawn(status: WaitStatus, *, width: int = 80) -> str:
    stream = io.StringIO()
    terminal(stream, width=width).print(picture(status))
    return stream.getvalue()


def read(status: WaitStatus, *, width: int = 80) -> list[str]:
    """Return what people see, without frame, colours and links."""
    plain = STYLE.sub("", drawn(status, width=width)).translate(BORDERS)
    return [line.strip() for line in plain.splitlines()]


def frozen(status: WaitStatus, text: str = "release week") -> WaitStatus:
    freeze = Freeze(reason=text, author=text, since=NOW - 9, until=None)
    return replace(status, record=replace(status.record, frozen=freeze))


@pytest.mark.example
def test_the_drawing_says_who_holds_and_where_one_stands() -> None:
    assert read(WAIT_STATUS, width=120) == [
        'Waiting for lock "prod"',
        "held by  acme/api > deploy > prod (alice)",
        "https://github.com/acme/api/actions/runs/8123",
        (
            "since 14:02:11Z (6m04s), renewed 9s ago, expires in 1m51s if not renewed, token 41, "
            'reason: "release 4.2"'
        ),
        "you are  2nd of 3 in the queue, about 9m to go (a job typically holds it for 4m30s)",
        "waited                             1m00s of 30m00s",
        "",
        "",
    ]


@pytest.mark.example
def test_a_holder_is_a_link_where_its_page_is_a_plain_one() -> None:
    evil = replace(HOLDER, owner=replace(ALICE, url="https://x/\x1b\\evil"))
    pages = [match["page"] for match in STYLE.finditer(drawn(WAIT_STATUS))]

    assert set(filter(None, pages)) == {ALICE.url}
    assert "]8;" not in drawn(replace(WAIT_STATUS, record=replace(RECORD, holders=(evil,))))


@pytest.mark.example
@pytest.mark.parametrize(("waited", "cells"), [(0.0, 0), (900.0, 12), (1800.0, 24), (9999.0, 24)])
def test_the_bar_shows_how_much_of_the_time_is_over(waited: float, cells: int) -> None:
    stream = io.StringIO()

    terminal(stream, color=False).print(picture(replace(WAIT_STATUS, waited=waited)))

    assert stream.getvalue().count("━") == cells


@pytest.mark.example
def test_a_free_lock_a_freeze_and_trouble_are_drawn_too() -> None:
    free = replace(WAIT_STATUS, record=replace(RECORD, holders=()), trouble="no answer")

    ahead = "\n".join(read(free, width=120))
    head = read(
        replace(free, position=QueuePosition(ahead=(), settle_time=0.0, fits_holders=True)),
        width=120,
    )
    ice = "\n".join(read(frozen(free), width=120))

    assert "free     but acme/api > deploy > prod (bob) is ahead of you in the queue" in ahead
    assert "free     waiting for your turn" in head
    assert "problem  no answer; retrying" in ahead
    assert "frozen   by release week since 14:08:06Z, until unfrozen" in ice
    assert "free" not in ice


@pytest.mark.example
def test_many_holders_do_not_fill_the_terminal() -> None:
    crowd = replace(RECORD, holders=(HOLDER,) * 60)

    lines = read(replace(WAIT_STATUS, record=crowd))

    assert len(lines) < 25
    assert "... and 57 more" in lines


@pytest.mark.example
@pytest.mark.parametrize("width", [1, 2, 10, 40, 400])
def test_a_terminal_of_any_width_is_drawn_on(width: int) -> None:
    shown = STYLE.sub("", drawn(WAIT_STATUS, width=width)).splitlines()

    assert max(map(len, shown)) <= width


@pytest.mark.property
@given(owners(HOSTILE), HOSTILE)
def test_no_control_character_of_an_owner_reaches_the_terminal(owner: Owner, text: str) -> None:
    evil = replace(
        frozen(WAIT_STATUS, text),
        record=replace(RECORD, holders=(replace(HOLDER, owner=owner),)),
        position=QueuePosition(
            ahead=(replace(TICKET, owner=owner),), settle_time=1.0, fits_holders=False
        ),
        trouble=text,
    )

    for status in (evil, replace(evil, record=replace(evil.record, holders=()))):
        shown = drawn(status)
        seen = STYLE.sub("", shown).translate(BORDERS).replace("\n", "")
        assert seen.isascii()
        assert seen.isprintable()
        assert all(page.isascii() and page.isprintable() for page in STYLE.findall(shown))


@pytest.mark.example
@pytest.mark.parametrize(
    "text", ["[red]x[/red]", "[link=https://evil.example]x[/]", "[/]", ":bomb:"]
)
def test_foreign_text_is_no_markup(text: str) -> None:
    evil = replace(RECORD, holders=(replace(HOLDER, owner=Owner(repository=text)),))

    assert f"held by  {text}" in read(replace(WAIT_STATUS, record=evil))


@pytest.mark.example
def test_nothing_is_drawn_where_nobody_waits() -> None:
    stream = io.StringIO()

    with WaitDisplay(terminal(stream), on_claim=lambda _: None) as live:
        live.on_claim("k3v9")
        live.on_wait(replace(WAIT_STATUS, budget=0.0))

    assert stream.getvalue() == ""


@pytest.mark.example
def test_each_look_replaces_the_one_before_and_the_end_takes_it_away() -> None:
    stream = io.StringIO()
    screen = Screen()

    with WaitDisplay(terminal(stream), on_claim=lambda _: None) as live:
        live.on_wait(WAIT_STATUS)
        live.on_wait(replace(WAIT_STATUS, waited=61.0))
        screen.show(stream.getvalue())
        during = screen.text
        screen.show(stream.getvalue()[screen.seen :])
    screen.show(stream.getvalue()[screen.seen :])

    assert during.count("Waiting for lock") == 1
    assert during.endswith("╯\n")
    assert "1m01s of 30m00s" in during
    assert screen.text.strip() == ""
    assert screen.row == 0


@pytest.mark.example
def test_the_cursor_is_never_left_hidden() -> None:
    stream = io.StringIO()
    shown: list[bool] = []

    def cursor_shown() -> bool:
        return stream.getvalue().rfind(SHOW) > stream.getvalue().rfind(HIDE)

    def waits() -> NoReturn:
        with WaitDisplay(terminal(stream), on_claim=lambda _: None) as live:
            live.on_wait(WAIT_STATUS)
            shown.append(cursor_shown())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        waits()

    assert [*shown, cursor_shown()] == [True, True]


@pytest.mark.example
def test_no_color_is_respected() -> None:
    stream = io.StringIO()

    terminal(stream, color=False).print(picture(frozen(WAIT_STATUS)))

    assert "\x1b[36m" in drawn(frozen(WAIT_STATUS))
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", stream.getvalue())


@pytest.mark.fault
@pytest.mark.parametrize("error", [OSError(5, "gone"), BrokenPipeError(), ValueError("closed")])
def test_a_terminal_that_goes_away_is_not_the_locks_trouble(error: Exception) -> None:
    gone = Gone(error)

    with WaitDisplay(terminal(BestEffortStream(gone)), on_claim=lambda _: None) as live:
        live.on_wait(WAIT_STATUS)
        live.on_wait(WAIT_STATUS)

    assert gone.tries > 1


class Gone(io.StringIO):
    """A terminal that nobody looks at any more."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.tries = 0
        self._error = error

    def write(self, _text: str) -> NoReturn:
        self.tries += 1
        raise self._error


class Screen:
    """What a terminal shows of what it was sent, as far as a drawing needs it."""

    def __init__(self) -> None:
        self.rows = [""]
        self.row = 0
        self.seen = 0

    @property
    def text(self) -> str:
        return "\n".join(self.rows)

    def show(self, sent: str) -> None:
        self.seen += len(sent)
        begin = 0
        sent = STYLE.sub("", sent)
        for move in [*MOVES.finditer(sent), None]:
            self.rows[self.row] += sent[begin : move.start() if move else len(sent)]
            if move is None:
                return
            begin = move.end()
            self._move(move[0])

    def _move(self, move: str) -> None:
        if move == "\n":
            self.row += 1
            if self.row == len(self.rows):
                self.rows.append("")
        elif move == "\x1b[2K":
            self.rows[self.row] = ""
        elif move.endswith("A"):
            self.row -= int(move[2:-1] or 1)
