"""A reference to a lease, by which another process of the same job adopts it.

The lease file and the action's state contain it: small, printable, and without secrets.
"""

import json
from dataclasses import asdict, dataclass, replace
from typing import Final, Literal, TypeVar, get_args

from gcs_ci_lock.errors import UsageError
from gcs_ci_lock.locking.lease import LeaseState
from gcs_ci_lock.locking.request import LockRequest
from gcs_ci_lock.protocol.json_reader import InvalidJson, JsonReader, parse_json, refuse
from gcs_ci_lock.protocol.names import Location, LockPaths, read_lease, validate_name
from gcs_ci_lock.protocol.text import printable
from gcs_ci_lock.protocol.timing import Timing

SCHEMA = 1

KeeperKind = Literal["none", "process", "sidecar"]
OnLost = Literal["fail", "cancel", "warn"]
KEEPERS: Final[tuple[KeeperKind, ...]] = get_args(KeeperKind)
ON_LOST: Final[tuple[OnLost, ...]] = get_args(OnLost)
_Choice = TypeVar("_Choice", bound=str)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseRef:
    """A lease of a lock.

    Attributes:
        bucket: gs://BUCKET/PREFIX.
        name: the lock.
        lease: the lease id.
        token: the fencing token; 0 before the grant.
        ttl_s: seconds from a renewal to the expiry.
        max_hold_s: seconds after which the lease is not renewed any more.
        keeper: what renews it.
        endpoint: another storage endpoint than Google's, or "".
        waited_s: seconds from the first request to the grant.
        granted_at: server time of the grant, seconds since the epoch; 0 before the grant.
        on_lost: what the job does when the lease is lost.
    """

    bucket: str
    name: str
    lease: str
    token: int = 0
    ttl_s: float
    max_hold_s: float
    keeper: KeeperKind
    endpoint: str = ""
    waited_s: float = 0.0
    granted_at: float = 0.0
    on_lost: OnLost = "fail"

    @classmethod
    def before_claim(
        cls,
        request: LockRequest,
        lease: str,
        *,
        endpoint: str,
        keeper: KeeperKind,
        on_lost: OnLost = "fail",
    ) -> "LeaseRef":
        """Return the reference to a lease id that is about to be claimed, before the grant."""
        return cls(
            bucket=str(request.paths.location),
            name=request.paths.name,
            lease=lease,
            ttl_s=request.timing.ttl,
            max_hold_s=request.max_hold,
            keeper=keeper,
            endpoint=endpoint,
            on_lost=on_lost,
        )

    def granted(self, lease: LeaseState, *, waited: float) -> "LeaseRef":
        """Return the same reference after the grant.

        Args:
            lease: as just claimed, before any renewal.
            waited: seconds.
        """
        return replace(
            self,
            token=lease.token,
            waited_s=waited,
            granted_at=lease.expires_at - lease.timing.ttl,
        )

    @property
    def paths(self) -> LockPaths:
        """The lock's objects."""
        return LockPaths(location=Location.parse(self.bucket), name=validate_name(self.name))

    @property
    def timing(self) -> Timing:
        """The lease's times."""
        timing = Timing.for_ttl(self.ttl_s)
        return timing if self.keeper != "none" else replace(timing, renew_every=None)

    def to_json(self) -> str:
        """Return it as one line of JSON."""
        return json.dumps({"schema": SCHEMA, **asdict(self)})

    @classmethod
    def from_json(cls, text: str, *, source: str) -> "LeaseRef":
        """Read what `to_json` returned.

        Args:
            text: untrusted.
            source: where the text came from, for the error.

        Raises:
            UsageError: the text is not what `to_json` returns.
        """
        try:
            return cls._from_json(text)
        except (ValueError, RecursionError, InvalidJson, UsageError) as error:
            message = (
                f"{source} does not describe a lease ({printable(str(error), limit=120)}): "
                "expected what gcs-ci-lock wrote when it acquired the lock"
            )
            raise UsageError(message) from None

    @classmethod
    def _from_json(cls, text: str) -> "LeaseRef":
        reader = JsonReader("the lease", parse_json(text.encode(errors="surrogatepass")))
        reader.integer("schema", least=SCHEMA, most=SCHEMA)
        lease_ref = cls(
            bucket=reader.text("bucket"),
            name=reader.text("name"),
            lease=read_lease(reader),
            token=reader.integer("token"),
            ttl_s=reader.number("ttl_s"),
            max_hold_s=reader.number("max_hold_s"),
            keeper=_one_of(reader, "keeper", KEEPERS),
            endpoint=reader.text("endpoint"),
            waited_s=reader.number("waited_s"),
            granted_at=reader.number("granted_at"),
            on_lost=_one_of(reader, "on_lost", ON_LOST),
        )
        reader.finish()
        # Validate them as if a user wrote them: a state file is foreign text too.
        _ = (lease_ref.paths, lease_ref.timing)
        return lease_ref


def _one_of(reader: JsonReader, key: str, choices: tuple[_Choice, ...]) -> _Choice:
    value = reader.text(key)
    if value not in choices:
        refuse(key, f"one of {', '.join(choices)}", value)
    return value
