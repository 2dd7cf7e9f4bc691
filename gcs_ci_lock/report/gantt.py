"""The recent holders of a lock as a Mermaid chart for the step summary.

In Mermaid a label ends at ":", data at ";" or "#", and "%" begins a comment. So only letters,
digits and a few symbols of an owner's text are kept.

Source: Mermaid's grammar of Gantt charts, `gantt.jison`.
"""

import re
from collections.abc import Iterator

from gcs_ci_lock.protocol.record import Holder, PastLease, Record
from gcs_ci_lock.report.format import who
from gcs_ci_lock.report.markdown import plain

MOST_SHOWN = 10
# Seconds; a shorter bar would be invisible.
SHORTEST_BAR = 1.0

_LONGEST_LABEL = 60
_FOREIGN = re.compile(r"[^A-Za-z0-9 ._/()-]")


def gantt(name: str, record: Record, now: float) -> str:
    """Return the past and current holders as Markdown; "" if there are none.

    The chart is valid Mermaid for any owner.

    Args:
        name: the lock.
        record: its record.
        now: server time, seconds since the epoch; the bars of current holders end here.
    """
    bars = [*_sections(record, now)]
    if not bars:
        return ""
    chart = "\n    ".join(
        ["gantt", "dateFormat x", "axisFormat %H:%M:%S", "todayMarker off", *bars]
    )
    # The reader's browser draws the axis, in its own time zone; all else is in UTC.
    caption = f"Recent holders of lock {plain(name)} (times in your time zone):"
    return f"\n{caption}\n\n```mermaid\n{chart}\n```\n"


def _sections(record: Record, now: float) -> Iterator[str]:
    if record.history:
        yield "section ended"
    for ended in record.history[-MOST_SHOWN:]:
        look = "done" if ended.outcome == "released" else "crit"
        yield _bar(ended, look, ended.ended_at)
    if record.holders:
        yield "section holding"
    for holder in record.holders[:MOST_SHOWN]:
        yield _bar(holder, "active", now)


def _bar(hold: PastLease | Holder, look: str, end: float) -> str:
    # The token comes first: Mermaid could take a label that begins with a word for a keyword.
    label = _FOREIGN.sub("-", f"{hold.token} {who(hold.owner)}")[:_LONGEST_LABEL].rstrip()
    begin = hold.granted_at
    end = max(end, begin + SHORTEST_BAR)
    return f"{label} :{look}, {_milliseconds(begin)}, {_milliseconds(end)}"


def _milliseconds(at: float) -> int:
    return round(at * 1000)
