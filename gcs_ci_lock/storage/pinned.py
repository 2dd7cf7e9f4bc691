"""Credentials by their content, so that they keep working without their file.

A later step may delete the file of google-github-actions/auth, and a keeper in another container
cannot see it.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from gcs_ci_lock.errors import UsageError
from gcs_ci_lock.protocol.json_reader import InvalidJson, JsonReader, parse_json

# The key of a known subject token in a credential source; our own, not Google's.
TOKEN_KEY: Final = "gcs_ci_lock_token"  # noqa: S105 - the name of a field
_SECRET_KEYS: Final = frozenset(
    {"private_key", "refresh_token", "client_secret", "authorization", TOKEN_KEY}
)
# Characters from which an unknown header's value counts as a secret.
_MIN_SECRET: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedCredentials:
    """A Google credential configuration; secret.

    Attributes:
        info: the content of a file as GOOGLE_APPLICATION_CREDENTIALS names it; None: the machine's
            own credentials, such as those of a metadata server.
    """

    info: Mapping[str, Any] | None = field(repr=False)

    def secrets(self) -> tuple[str, ...]:
        """Return every text that must be masked in a log."""
        return tuple(_secrets(self.info)) if self.info is not None else ()

    def to_json(self) -> str:
        """Return them as one line of JSON."""
        return json.dumps(self.info)

    @classmethod
    def from_json(cls, text: str, *, source: str) -> "PinnedCredentials":
        """Read what `to_json` returned, or what a user gave.

        Args:
            text: a JSON object, or null.
            source: where the text came from, for the error.

        Raises:
            UsageError: the text is anything else; the message shows nothing of it.
        """
        try:
            document = parse_json(text.encode(errors="replace"))
            return cls(info=None if document is None else JsonReader("it", document).json)
        except InvalidJson:
            message = (
                f"{source} is not a Google credential configuration: expected the JSON of a "
                "service account key or of a workload identity federation"
            )
            raise UsageError(message) from None


AMBIENT: Final = PinnedCredentials(info=None)


def _secrets(value: object, *, secret: bool = False) -> Iterator[str]:
    if isinstance(value, str) and secret:
        yield value
        # A log may show the token without "Bearer", so that is masked too.
        if value.startswith("Bearer "):
            yield value.removeprefix("Bearer ")
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _secrets(inner, secret=secret or key.lower() in _SECRET_KEYS)
            if key == "headers" and isinstance(inner, Mapping):
                texts = (text for text in inner.values() if isinstance(text, str))
                yield from (text for text in texts if len(text) >= _MIN_SECRET)
