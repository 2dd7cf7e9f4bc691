"""What a keeper beside a job is told at its start, and what it says of its work.

Both travel as one line of JSON: the charge through the keeper's standard input, for it contains
secrets; the news through its standard output.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final, cast

from gcs_ci_lock.errors import UsageError
from gcs_ci_lock.keepalive.lease_ref import LeaseRef
from gcs_ci_lock.platforms.github_job import GitHubJob
from gcs_ci_lock.protocol.json_reader import InvalidJson, JsonReader, parse_json
from gcs_ci_lock.storage.pinned import PinnedCredentials

SCHEMA: Final = 1
PHASES: Final = ("keeping", "missing", "lost", "released", "failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeeperSpec:
    """A lease to be kept, and everything that this needs; secret.

    Attributes:
        proxies: variables that name proxies; they can contain passwords.
    """

    lease_ref: LeaseRef
    job: GitHubJob
    credentials: PinnedCredentials
    proxies: Mapping[str, str] = field(default_factory=dict, repr=False)

    def granted(self, lease_ref: LeaseRef) -> "KeeperSpec":
        """Return the same with another state of the lease."""
        return replace(self, lease_ref=lease_ref)

    def to_json(self) -> str:
        """Return it as one line of JSON."""
        return json.dumps(
            {
                "schema": SCHEMA,
                "handover": self.lease_ref.to_json(),
                "job": asdict(self.job),
                "pinned": self.credentials.to_json(),
                "proxies": dict(self.proxies),
            }
        )

    @classmethod
    def from_json(cls, text: str, *, source: str) -> "KeeperSpec":
        """Read it again.

        Args:
            text: what `to_json` returned, or something else.
            source: where it came from, for the error.

        Raises:
            UsageError: it is none; nothing of the text is in the message.
        """
        try:
            reader = JsonReader("the charge", parse_json(text.encode(errors="surrogatepass")))
            reader.integer("schema", least=SCHEMA, most=SCHEMA)
            lease_ref, pinned = reader.text("handover"), reader.text("pinned")
            job, proxies = _texts(reader.take("job")), _texts(reader.take("proxies"))
            reader.finish()
            return cls(
                lease_ref=LeaseRef.from_json(lease_ref, source=source),
                job=GitHubJob(**job),
                credentials=PinnedCredentials.from_json(pinned, source=source),
                proxies=proxies,
            )
        except (InvalidJson, TypeError, RecursionError):
            message = f"{source} is not what gcs-ci-lock wrote when it acquired the lock"
            raise UsageError(message) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeeperStatus:
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

    def to_json(self) -> str:
        """Return it as one line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> "KeeperStatus | None":
        """Read one line of a keeper's standard output; None: it is no news."""
        try:
            reader = JsonReader("the news", parse_json(line.encode(errors="replace")))
            status = cls(
                phase=reader.text("phase"),
                beats=reader.integer("beats"),
                missed=reader.integer("missed"),
                reason=reader.text("reason"),
            )
        except InvalidJson:
            return None
        return status if status.phase in PHASES else None


def _texts(value: Any) -> dict[str, str]:  # noqa: ANN401 - JSON may be anything here
    fields = JsonReader("the charge", value).json
    if not all(isinstance(text, str) for text in fields.values()):
        message = "a text"
        raise InvalidJson(message)
    return cast("dict[str, str]", fields)
