"""Read JSON that anybody may have written; refuse everything unknown."""

import json
from typing import Any, Final, NoReturn, cast

from gcs_ci_lock.protocol.text import printable

# A history of 50 leases with every text at its longest is less than a quarter of it.
MAX_RECORD_BYTES: Final = 4 * 1024 * 1024
MAX_INTEGER: Final = 2**63 - 1
# In the year 5138; later times overflow calendars.
MAX_TIME: Final = 1e11
Json = dict[str, Any]


class InvalidJson(Exception):
    """The JSON is not as expected; the message says what was expected and what was found."""


def refuse(where: str, expected: str, found: object) -> NoReturn:
    """Raise `InvalidJson` with one short line: what was expected and what was found."""
    shown = printable(repr(found)[:300], limit=60)
    # Keys are foreign text too.
    message = f"{printable(where)} should be {printable(expected)}, found {shown}"
    raise InvalidJson(message)


def parse_json(body: bytes | None) -> object:
    """Return the JSON document in `body`; None means that it is too large.

    Raises:
        InvalidJson: it is too large, not JSON, or ambiguous: a duplicate key, NaN, too deep.
    """
    if body is None or len(body) > MAX_RECORD_BYTES:
        message = f"it is larger than {MAX_RECORD_BYTES} bytes"
        raise InvalidJson(message)
    try:
        return json.loads(
            body.decode("utf-8"), parse_constant=_refuse_constant, object_pairs_hook=_unique
        )
    except (ValueError, RecursionError) as error:
        message = f"it is not JSON ({printable(str(error), limit=100)})"
        raise InvalidJson(message) from None


def _refuse_constant(text: str) -> NoReturn:
    message = f"{text} is not JSON"
    raise ValueError(message)


def _unique(pairs: list[tuple[str, Any]]) -> Json:
    document = dict(pairs)
    if len(document) != len(pairs):
        message = "a key stands twice in one object"
        raise ValueError(message)
    return document


class JsonReader:
    """Reads the fields of one JSON object; refuses fields that are missing, wrong or unknown.

    Args:
        where: names the object in errors.
        value: must be an object.

    Raises:
        InvalidJson: it is not.
    """

    def __init__(self, where: str, value: object) -> None:
        if not isinstance(value, dict):
            refuse(where, "an object", value)
        self.where = where
        self.json = cast("Json", value)
        self._taken: set[str] = set()

    def take(self, key: str) -> Any:  # noqa: ANN401 - JSON may be anything here
        """Return a required field as it is."""
        if key not in self.json:
            refuse(self.where, f'an object with "{key}"', sorted(self.json)[:20])
        self._taken.add(key)
        return self.json[key]

    def finish(self) -> None:
        """Refuse the fields that were not read."""
        unknown = sorted(set(self.json) - self._taken)
        if unknown:
            refuse(self.where, "an object without other fields", unknown[:5])

    def text(self, key: str) -> str:
        """Return a required text."""
        value = self.take(key)
        if not isinstance(value, str):
            refuse(f"{self.where}.{key}", "a text", value)
        return value

    def integer(self, key: str, least: int = 0, most: int = MAX_INTEGER) -> int:
        """Return a required integer in a range; a boolean is not an integer."""
        value = self.take(key)
        if type(value) is not int or not least <= value <= most:
            refuse(f"{self.where}.{key}", f"an integer from {least} to {most}", value)
        return value

    def number(self, key: str, most: float = MAX_TIME) -> float:
        """Return a required number >= 0; a boolean is not a number."""
        value = self.take(key)
        if type(value) not in (int, float) or not 0 <= value <= most:
            refuse(f"{self.where}.{key}", f"a number from 0 to {most:g}", value)
        return float(value)

    def items(self, key: str) -> "list[JsonReader]":
        """Return a required list of objects."""
        value = self.take(key)
        if not isinstance(value, list):
            refuse(f"{self.where}.{key}", "a list", value)
        return [JsonReader(f"{key}[{index}]", item) for index, item in enumerate(value)]
