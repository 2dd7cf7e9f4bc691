"""Mermaid's reader of Gantt charts, as far as our own charts go.

Follows `gantt.jison` and `ganttDb.js`, and is stricter: what it takes, Mermaid takes, and reads the
same; what it refuses, Mermaid may take or not. Compared by hand with the parser of mermaid 11.17.
"""

import re
from dataclasses import dataclass

# Words that the lexer takes for something else than a label, in any case of their letters.
_KEYWORD = re.compile(
    r"(gantt|dateFormat|inclusiveEndDates|topAxis|axisFormat|tickInterval|includes|excludes"
    r"|todayMarker|weekday|weekend|title|accTitle|accDescr|accDescription|section|click|href|call)"
    r"|\d{4}-\d\d-\d\d",
    re.IGNORECASE,
)
_HEAD = ["gantt", "dateFormat x", "axisFormat %H:%M:%S", "todayMarker off"]
_SECTION = re.compile(r"section (?P<name>[A-Za-z][A-Za-z ]*)")
_TASK = re.compile(
    # Printable ASCII: Mermaid trims more than one kind of space.
    r"(?P<label>[^:;#%{}\"\x00-\x20\x7f-\U0010ffff][^:;#%{}\"\x00-\x1f\x7f-\U0010ffff]*) "
    r":(?P<look>done|active|crit), (?P<begin>0|[1-9]\d{0,14}), (?P<end>0|[1-9]\d{0,14})",
    re.ASCII,
)


@dataclass(frozen=True)
class Task:
    section: str
    label: str
    look: str
    begin: int
    end: int


def gantt_tasks(chart: str) -> list[Task]:
    """Return the bars of a chart; raises ValueError where Mermaid might refuse it."""
    lines = [line.removeprefix("    ") for line in chart.split("\n")]
    if lines[: len(_HEAD)] != _HEAD:
        message = f"no chart of ours: {lines[: len(_HEAD)]}"
        raise ValueError(message)
    section = ""
    tasks = []
    for line in lines[len(_HEAD) :]:
        if head := _SECTION.fullmatch(line):
            section = head["name"]
            continue
        task = _TASK.fullmatch(line)
        if task is None or _KEYWORD.match(line):
            message = f"no bar: {line!r}"
            raise ValueError(message)
        begin, end = int(task["begin"]), int(task["end"])
        if begin >= end:
            message = f"a bar without length: {line!r}"
            raise ValueError(message)
        tasks.append(Task(section, task["label"].rstrip(), task["look"], begin, end))
    return tasks


def mermaid_fences(markdown: str) -> list[str]:
    """Return the Mermaid charts in a Markdown text, as CommonMark finds them."""
    fences: list[list[str]] = []
    inside = False
    for line in markdown.split("\n"):
        if inside and line.lstrip(" ").startswith("```"):
            inside = False
        elif inside:
            fences[-1].append(line)
        elif line == "```mermaid":
            inside = True
            fences.append([])
    if inside:
        message = "a fence that does not end"
        raise ValueError(message)
    return ["\n".join(lines) for lines in fences]
