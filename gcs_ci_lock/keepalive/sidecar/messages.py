"""What a keeper beside a job is told at its start, and what it says of its work.

Both travel as one line of JSON: the charge through the keeper's standard input, for it contains
secrets; the news through its standard output.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final, cast

from gcs_ci_lock.errors import UsageError
from gcs_ci_lock.keepalive.lease_ref import Handover
from gcs_ci_lock.platforms.github_job import JobAccess
from gcs_ci_lock.protocol.json_reader import Invalid, Reader, parsed
from gcs_ci_lock.storage.pinned import Pinned

SCHEMA: Final = 1
PHASES: Final = ("keeping", "missing", "lost", "released", "failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """A lease to be kept, and everything that this needs; secret.

    Attributes:
        proxies: variables that name proxies; they can contain passwords.
    """

    handover: Handover
    job: JobAccess
    pinned: Pinned
    proxies: Mapping[str, str] = field(default_factory=dict, repr=False)

    def granted(self, handover: Handover) -> "Charge":
        """Return the same with another state of the lease."""
        return replace(self, handover=handover)

    def encoded(self) -> str:
        """Return it as one line of JSON."""
        return json.dumps(
            {
                "schema": SCHEMA,
                "handover": self.handover.encoded(),
                "job": asdict(self.job),
                "pinned": self.pinned.encoded(),
                "proxies": dict(self.proxies),
            }
        )

    @classmethod
    def decode(cls, text: str, *, source: str) -> "Charge":
        """Read it again.

        Args:
            text: what `encoded` returned, or something else.
            source: where it came from, for the error.

        Raises:
            UsageError: it is none; nothing of the text is in the message.
        """
        try:
            reader = Reader("the charge", parsed(text.encode(errors="surrogatepass")))
            reader.integer("schema", least=SCHEMA, most=SCHEMA)
            handover, pinned = reader.text("handover"), reader.text("pinned")
            job, proxies = _texts(reader.take("job")), _texts(reader.take("proxies"))
            reader.finish()
            return cls(
                handover=Handover.decode(handover, source=source),
                job=JobAccess(**job),
                pinned=Pinned.decode(pinned, source=source),
                proxies=proxies,
            )
        except (Invalid, TypeError, RecursionError):
            message = f"{source} is not what gcs-ci-lock wrote when it acquired the lock"
            raise UsageError(message) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What a keeper says of its work.

    Attributes:
        phase: keeping: renewed; missing: the last renewal failed; lost; released; failed: it ends
            without knowing what has become of the lease.
        beats: renewals that were acknowledged.
        missed: renewals that were not.
        reason: why, for people.
    """

    phase: str
    beats: int = 0
    missed: int = 0
    reason: str = ""

    @property
    def final(self) -> bool:
        """Tell whether nothing else can come of the lease."""
        return self.phase not in ("keeping", "missing")

    def encoded(self) -> str:
        """Return it as one line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def decode(cls, line: str) -> "News | None":
        """Read one line of a keeper's standard output; None: it is no news."""
        try:
            reader = Reader("the news", parsed(line.encode(errors="replace")))
            news = cls(
                phase=reader.text("phase"),
                beats=reader.integer("beats"),
                missed=reader.integer("missed"),
                reason=reader.text("reason"),
            )
        except Invalid:
            return None
        return news if news.phase in PHASES else None


def _texts(value: Any) -> dict[str, str]:  # noqa: ANN401 - JSON may be anything here
    fields = Reader("the charge", value).json
    if not all(isinstance(text, str) for text in fields.values()):
        message = "a text"
        raise Invalid(message)
    return cast("dict[str, str]", fields)
