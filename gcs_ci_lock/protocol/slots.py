"""Slots: how many jobs may hold a lock together, as each of them sees it."""

import math
import re
from typing import Final

from gcs_ci_lock.errors import UsageError
from gcs_ci_lock.protocol.json_reader import JsonReader
from gcs_ci_lock.protocol.text import printable

# How many jobs may hold the lock together, as one of them allows: an integer >= 1, or UNLIMITED.
Slots = float
UNLIMITED: Final = math.inf


def parse_slots(text: str) -> Slots:
    """Read slots as people write them.

    Raises:
        UsageError: the text is neither an integer >= 1 nor "unlimited".
    """
    text = text.strip()
    if text == "unlimited":
        return UNLIMITED
    if re.fullmatch(r"[0-9]{1,9}", text) and int(text) >= 1:
        return int(text)
    message = f'slots "{printable(text)}" is not valid: expected an integer from 1, or "unlimited"'
    raise UsageError(message)


def format_slots(slots: Slots) -> int | str:
    """Return slots as records and people write them: an integer, or "unlimited"."""
    return "unlimited" if slots == UNLIMITED else int(slots)


def read_slots(item: JsonReader) -> Slots:
    """Return the field "slots".

    Raises:
        InvalidJson: it is neither an integer from 1 nor "unlimited".
    """
    value = item.take("slots")
    if value == "unlimited":
        return UNLIMITED
    return item.integer("slots", least=1)
