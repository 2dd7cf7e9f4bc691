"""The last holds of a lock as a Mermaid picture for the step summary.

A label ends at ":", data at ";" or "#", and "%" begins a comment: of what an owner writes nothing
gets in but letters, figures and a few signs.

Source: Mermaid's grammar of Gantt charts, `gantt.jison`.
"""

import re
from collections.abc import Iterator

from gcs_ci_lock.protocol.record import Holder, PastLease, Record
from gcs_ci_lock.report.format import who
from gcs_ci_lock.report.markdown import plain

MOST_SHOWN = 10
# A shorter bar is not seen.
SHORTEST_BAR = 1.0

_LONGEST_LABEL = 60
_FOREIGN = re.compile(r"[^A-Za-z0-9 ._/()-]")


def gantt(name: str, record: Record, now: float) -> str:
    """Return the last holds and the holders now, as Markdown; "" where there is nothing to draw.

    Valid Mermaid whatever the owners are called.

    Args:
        name: the lock.
        record: its record.
        now: server time, where the bars of the holders end.
    """
    bars = [*_sections(record, now)]
    if not bars:
        return ""
    chart = "\n    ".join(
        ["gantt", "dateFormat x", "axisFormat %H:%M:%S", "todayMarker off", *bars]
    )
    # The axis is drawn by the reader's browser, all else here is UTC.
    said = f"The last holds of lock {plain(name)}, in your time zone:"
    return f"\n{said}\n\n```mermaid\n{chart}\n```\n"


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
    # The token comes first: a label that begins with a word could be a keyword.
    label = _FOREIGN.sub("-", f"{hold.token} {who(hold.owner)}")[:_LONGEST_LABEL].rstrip()
    begin = hold.granted_at
    end = max(end, begin + SHORTEST_BAR)
    return f"{label} :{look}, {_milliseconds(begin)}, {_milliseconds(end)}"


def _milliseconds(at: float) -> int:
    return round(at * 1000)
