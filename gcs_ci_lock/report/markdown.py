"""The step summary: a small Markdown table that foreign text cannot break."""

import re
from collections.abc import Sequence

from gcs_ci_lock.protocol.record import Owner
from gcs_ci_lock.protocol.text import printable
from gcs_ci_lock.report.format import link, who

# Characters that end a code span or the table cell around it.
_ENDS_CODE = str.maketrans({"`": "'", "|": "/", "\\": "/"})
_SAFE_URL = re.compile(r"https://[A-Za-z0-9.-]+(:\d+)?/[A-Za-z0-9/._~%-]*")


def summary_table(rows: Sequence[tuple[str, str]]) -> str:
    """Return a Markdown table of two columns.

    Args:
        rows: label and value of each row, as Markdown.
    """
    body = "\n".join(f"| {key} | {value} |" for key, value in rows)
    return f"| lock | |\n|---|---|\n{body}\n"


def plain(text: str) -> str:
    """Return text as inline code, so that Markdown only shows it."""
    # Nothing is active in a code span: no HTML, link, image, mention or address.
    shown = printable(text).translate(_ENDS_CODE).strip()
    return f"`{shown}`" if shown else ""


def owner_cell(owner: Owner) -> str:
    """Return an owner as Markdown, with a link if its page is a plain https URL."""
    url = link(owner)
    if _SAFE_URL.fullmatch(url):
        return f"[{plain(who(owner))}]({url})"
    return plain(who(owner))
