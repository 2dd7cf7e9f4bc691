"""A lease as one process hands it to another: the lease file, the action's state.

Small and printable, without secrets and without generations: whoever gets it adopts the lease by
reading the record.
"""

import json
from dataclasses import asdict, dataclass, replace

from gcs_ci_lock.core.names import Location, LockPaths, checked_name
from gcs_ci_lock.core.strict import Invalid, Reader, invalid, parsed
from gcs_ci_lock.core.text import printable
from gcs_ci_lock.core.timing import Timing
from gcs_ci_lock.errors import UsageError

SCHEMA = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """Which lease of which lock.

    Attributes:
        bucket: gs://BUCKET/PREFIX.
        name: the lock.
        lease: the lease id.
        token: the fencing token; 0 while the lease is only asked for.
        ttl_s: seconds from a renewal to its expiry.
        max_hold_s: seconds after which the lease is renewed no more.
        kept: whether a keeper renews it.
        endpoint: another storage endpoint than Google's, or "".
    """

    bucket: str
    name: str
    lease: str
    token: int
    ttl_s: float
    max_hold_s: float
    kept: bool
    endpoint: str

    @property
    def paths(self) -> LockPaths:
        """The lock's objects."""
        return LockPaths(location=Location.parse(self.bucket), name=checked_name(self.name))

    @property
    def timing(self) -> Timing:
        """The lease's times."""
        timing = Timing.for_ttl(self.ttl_s)
        return timing if self.kept else replace(timing, beat=None)

    def encoded(self) -> str:
        """Return it as one line of JSON."""
        return json.dumps({"schema": SCHEMA, **asdict(self)})

    @classmethod
    def decode(cls, text: str, *, source: str) -> "Handover":
        """Read it again.

        Args:
            text: what `encoded` returned, or something else.
            source: where it came from, for the error.

        Raises:
            UsageError: it is none.
        """
        try:
            return cls._decode(text)
        except (ValueError, RecursionError, Invalid, UsageError) as error:
            message = (
                f"{source} does not describe a lease ({printable(str(error), limit=120)}): "
                "expected what gcs-ci-lock wrote when it acquired the lock"
            )
            raise UsageError(message) from None

    @classmethod
    def _decode(cls, text: str) -> "Handover":
        reader = Reader("the lease", parsed(text.encode()))
        reader.integer("schema", least=SCHEMA, most=SCHEMA)
        kept = reader.take("kept")
        if type(kept) is not bool:
            invalid("kept", "true or false", kept)
        handover = cls(
            bucket=reader.text("bucket"),
            name=reader.text("name"),
            lease=reader.lease(),
            token=reader.integer("token"),
            ttl_s=reader.number("ttl_s"),
            max_hold_s=reader.number("max_hold_s"),
            kept=kept,
            endpoint=reader.text("endpoint"),
        )
        reader.finish()
        # The same rules as for what a user writes: a state file is foreign text too.
        _ = (handover.paths, handover.timing)
        return handover
