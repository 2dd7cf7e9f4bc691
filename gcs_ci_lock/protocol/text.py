"""Make foreign text safe to store and to print."""

import json

MAX_FOREIGN = 200


def printable(text: str, limit: int = MAX_FOREIGN) -> str:
    """Return `text` as one short line that no log viewer runs as a command.

    Printable ASCII only, at most `limit` characters, and neither `::` nor `##[` in it: these
    start commands of GitHub's runner (`ActionCommand.cs`). Safe for hostile text of any size.

    Args:
        text: e.g. owner fields, reasons, server errors, names that were refused.
        limit: characters to keep; a longer text ends in "...".
    """
    # Only the first characters are processed: foreign text may be megabytes long.
    cut = text[: limit + 1]
    plain = "".join(c if " " <= c <= "~" else "?" for c in cut)
    if len(plain) > limit:
        plain = plain[: max(limit - 3, 0)] + "..."
    # The length stays the same; the loop is for ":::", which would leave a "::" behind.
    while "::" in plain:
        plain = plain.replace("::", ":.")
    return plain.replace("##[", "##(")


def printable_json(document: object) -> str:
    """Return a whole document as one line of JSON that no log viewer runs as a command."""
    text = json.dumps(document)
    # Both occur only inside strings, where an escape is the same character.
    return text.replace("::", ":\\u003a").replace("##[", "##\\u005b")


def truncated(text: str) -> str:
    """Return the first 200 characters of a foreign text, unchanged, to store them."""
    return text[:MAX_FOREIGN]
