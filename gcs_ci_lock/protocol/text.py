"""Text that came from elsewhere, made safe to keep and to print."""

import json

MAX_FOREIGN = 200


def printable(text: str, limit: int = MAX_FOREIGN) -> str:
    """Return `text` as one short line that no log reader takes for a command.

    Printable ASCII only, at most `limit` characters, and neither `::` nor `##[` in it: these
    start commands of GitHub's runner (`ActionCommand.cs`). Works on hostile text of any size.

    Args:
        text: owner fields, reasons, server errors, names that were refused.
        limit: characters kept; a longer text ends in "...".
    """
    # Only a little more than the limit is looked at: foreign text may be megabytes long.
    cut = text[: limit + 1]
    plain = "".join(c if " " <= c <= "~" else "?" for c in cut)
    if len(plain) > limit:
        plain = plain[: max(limit - 3, 0)] + "..."
    # Same length, so that the limit still holds; ":::" must not leave a "::" behind.
    while "::" in plain:
        plain = plain.replace("::", ":.")
    return plain.replace("##[", "##(")


def printable_json(document: object) -> str:
    """Return a document as JSON on one line, whole, in which no log reader finds a command."""
    text = json.dumps(document)
    # Both stand only inside of strings here, where an escape is the same character.
    return text.replace("::", ":\\u003a").replace("##[", "##\\u005b")


def truncated(text: str) -> str:
    """Return what of a foreign text is stored: at most 200 characters, its content as it is."""
    return text[:MAX_FOREIGN]
