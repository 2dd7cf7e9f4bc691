"""Records as a stranger reads them: without the code that is under test."""

import json
import math
from typing import Any

from gcs_ci_lock.protocol.slots import Slots


def parsed(body: bytes | None) -> dict[str, Any]:
    if body is None:
        return {"holders": [], "history": []}
    document: dict[str, Any] = json.loads(body)
    return document


def beats(body: bytes | None) -> dict[str, int]:
    return {h["lease"]: h["beat"] for h in parsed(body)["holders"]}


def fits(holders: list[dict[str, Any]], slots: Slots) -> bool:
    sizes = [math.inf if h["slots"] == "unlimited" else h["slots"] for h in holders]
    return len(holders) + 1 <= min([*sizes, slots])
