"""What a sidecar keeper gets at its start, and what it reports.

Both are one line of JSON: the spec on the keeper's standard input, because it contains secrets; the
status on its standard output.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final, Literal, cast, get_args

from gcs_ci_lock.errors import UsageError
from gcs_ci_lock.keepalive.lease_ref import LeaseRef
from gcs_ci_lock.locking.lease import Lost
from gcs_ci_lock.platforms.github_job import GitHubJob
from gcs_ci_lock.protocol.json_reader import InvalidJson, JsonReader, parse_json
from gcs_ci_lock.protocol.record import LossReason
from gcs_ci_lock.storage.pinned import PinnedCredentials

SCHEMA: Final = 1
KeeperPhase = Literal["keeping", "missing", "lost", "released", "failed"]
PHASES: Final[tuple[KeeperPhase, ...]] = get_args(KeeperPhase)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeeperSpec:
    """A lease to renew, and all that a keeper needs for it; secret.

    Attributes:
        lease_ref: the lease.
        job: how to find out that the job is over, and how to cancel its run.
        credentials: for the bucket.
        proxies: variables that name proxies; they can contain passwords.
    """

    lease_ref: LeaseRef
    job: GitHubJob
    credentials: PinnedCredentials
    proxies: Mapping[str, str] = field(default_factory=dict, repr=False)

    def granted(self, lease_ref: LeaseRef) -> "KeeperSpec":
        """Return the same spec for the lease after its grant."""
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
        """Read what `to_json` returned.

        Args:
            text: untrusted.
            source: where the text came from, for the error.

        Raises:
            UsageError: the text is not what `to_json` returns; the message shows nothing of it.
        """
        try:
            reader = JsonReader("the spec", parse_json(text.encode(errors="surrogatepass")))
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
    """The status of a keeper.

    Attributes:
        phase: keeping: the last renewal succeeded; missing: it failed; lost; released; failed: the
            keeper ends without knowing how the lease ended.
        beats: renewals that were acknowledged.
        missed: renewals that were not.
        reason: why, for people.
        loss: why the lease was lost, in the phase "lost".
    """

    phase: KeeperPhase
    beats: int = 0
    missed: int = 0
    reason: str = ""
    loss: LossReason | None = None

    @property
    def lost(self) -> Lost | None:
        """The reported loss, or None."""
        if self.phase != "lost":
            return None
        return Lost(reason=self.loss or LossReason.KEEPER_GONE, message=self.reason)

    @property
    def final(self) -> bool:
        """Whether the keeper ends after this."""
        return self.phase not in ("keeping", "missing")

    def to_json(self) -> str:
        """Return it as one line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> "KeeperStatus | None":
        """Read one line of a keeper's standard output; None: it is not a status."""
        try:
            reader = JsonReader("the status", parse_json(line.encode(errors="replace")))
            phase, loss = reader.text("phase"), reader.json.get("loss")
            if phase not in PHASES or (loss is not None and loss not in set(LossReason)):
                return None
            return cls(
                phase=phase,
                beats=reader.integer("beats"),
                missed=reader.integer("missed"),
                reason=reader.text("reason"),
                loss=LossReason(loss) if loss else None,
            )
        except (InvalidJson, TypeError):
            return None


def _texts(value: Any) -> dict[str, str]:  # noqa: ANN401 - JSON may be anything here
    fields = JsonReader("the spec", value).json
    if not all(isinstance(text, str) for text in fields.values()):
        message = "a text"
        raise InvalidJson(message)
    return cast("dict[str, str]", fields)
