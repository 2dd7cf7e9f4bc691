"""GitLab's reader of section markers, as far as a job can tell.

Follows lib/gitlab/regex.rb (build_trace_section_regex) and the converter that looks for it anywhere
in a line: `section_start:TIME:NAME[options]`, then a carriage return and "clear to the end".
"""

import re
from dataclasses import dataclass

_MARKER = re.compile(
    r"section_(?P<kind>start|end):(?P<at>\d+):(?P<name>[a-zA-Z0-9_.-]+)"
    r"(?P<options>\[[^\]\r\n]*\])?\r\x1b\[0K"
)


@dataclass(frozen=True)
class Marker:
    kind: str
    name: str
    options: str


def markers(log: str) -> list[Marker]:
    """Return all section markers of a log."""
    return [Marker(m["kind"], m["name"], m["options"] or "") for m in _MARKER.finditer(log)]


def without_markers(log: str) -> str:
    """Return what is left of a log: the text that people read."""
    return _MARKER.sub("", log.replace("\x1b[0Ksection_", "section_"))
