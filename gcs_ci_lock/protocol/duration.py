"""Durations as people write and read them."""

import re

from gcs_ci_lock.errors import UsageError
from gcs_ci_lock.protocol.text import printable

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_MANY_DAYS = 40 * _DAY
_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\d{1,7}(?:\.\d{1,3})?)([smh]?)", re.ASCII)
_DURATION_PARTS = re.compile(r"(?:(\d{1,5})h)?(?:(\d{1,5})m)?(?:(\d{1,5})s)?", re.ASCII)


def parse_duration(text: str, what: str) -> float:
    """Read a duration as people write it: `90s`, `30m`, `2h`, `1h30m`, or plain seconds.

    Args:
        text: what the user gave.
        what: the input's name, for the error.

    Returns:
        Seconds, >= 0.

    Raises:
        UsageError: the text is not a duration.
    """
    text = text.strip()
    if single := _DURATION.fullmatch(text):
        return float(single[1]) * _UNITS[single[2]]
    parts = _DURATION_PARTS.fullmatch(text)
    if parts and any(parts.groups()):
        hours, minutes, seconds = (float(part or 0) for part in parts.groups())
        return hours * 3600 + minutes * 60 + seconds
    message = f'{what} "{printable(text)}" is not a duration: expected one like 90s, 30m or 2h'
    raise UsageError(message)


def format_duration(seconds: float) -> str:
    """Return a duration as people read it: `9s`, `6m04s`, `2h05m`, `45d`."""
    whole = max(round(seconds), 0)
    if whole < _MINUTE:
        return f"{whole}s"
    if whole < _HOUR:
        return f"{whole // 60}m{whole % 60:02d}s"
    if whole < _MANY_DAYS:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
    return f"{whole // _DAY}d"
