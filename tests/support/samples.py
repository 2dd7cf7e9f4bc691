"""One lock as it might be on a Monday: held by alice, one hold before, one waiter ahead of us."""

from dataclasses import replace

from gcs_ci_lock.keepalive.lease_ref import LeaseRef
from gcs_ci_lock.keepalive.sidecar.messages import KeeperSpec
from gcs_ci_lock.locking.lease import LeaseState
from gcs_ci_lock.platforms.github_job import GitHubJob
from gcs_ci_lock.protocol.queue import Claimant, QueuePosition
from gcs_ci_lock.protocol.record import Freeze, Holder, Owner, PastLease, Record, Ticket
from gcs_ci_lock.protocol.server_time import Interval
from gcs_ci_lock.protocol.slots import UNLIMITED
from gcs_ci_lock.protocol.timing import Timing
from gcs_ci_lock.protocol.wait_status import WaitStatus
from gcs_ci_lock.report.status import LockStatus
from gcs_ci_lock.storage.pinned import PinnedCredentials

NOW = 1_795_442_895.0  # 2026-11-23T14:08:15Z
ALICE = Owner(
    platform="github",
    repository="acme/api",
    workflow="deploy",
    job="prod",
    actor="alice",
    url="https://github.com/acme/api/actions/runs/8123",
    reason="release 4.2",
)
HOLDER = Holder(
    lease="k3v9",
    owner=ALICE,
    slots=1,
    token=41,
    asked_at=NOW - 400,
    granted_at=NOW - 364,
    expires_at=NOW + 111,
    ttl=120.0,
    revision=18,
)
# HOLDER's lease, as alice's job knows it.
LEASE = LeaseState(
    id=HOLDER.lease,
    token=HOLDER.token,
    timing=Timing.for_ttl(HOLDER.ttl),
    revision=HOLDER.revision,
    sent_at=1_000.0,
    expires_at=HOLDER.expires_at,
)
TICKET = Ticket(
    lease="k3v8",
    owner=replace(ALICE, actor="bob"),
    slots=UNLIMITED,
    ttl=120.0,
    arrival=NOW - 70,
    arrival_text="",
    refreshed_at=NOW - 5,
    generation=1,
)
ENDED = PastLease(
    lease="k3v7",
    owner=ALICE,
    token=40,
    asked_at=NOW - 2000,
    granted_at=NOW - 1900,
    ended_at=NOW - 1630,
    outcome="released",
    note="by hand",
)
FREEZE = Freeze(reason="release week", author="bob", since=NOW - 60, until=None)
# We, without a ticket yet.
CLAIMANT = Claimant(
    lease="k3w1",
    owner=replace(ALICE, actor="carol"),
    slots=1,
    ttl=120.0,
    asked=Interval(earliest=NOW - 60, latest=NOW - 59),
)
RECORD = Record(name="prod", fence=41, holders=(HOLDER,), history=(ENDED,))
WAIT_STATUS = WaitStatus(
    name="prod",
    uri="gs://acme-locks/locks/prod",
    record=RECORD,
    position=QueuePosition(ahead=(TICKET,), settle_time=1.0, fits_holders=False),
    waiters=3,
    earliest=NOW,
    waited=60.0,
    budget=1800.0,
)
LOCK_STATUS = LockStatus(
    name="prod",
    uri="gs://acme-locks/locks/prod",
    record=RECORD,
    waiters=(TICKET,),
    earliest=NOW,
)

# The lease of HOLDER, as another process of its job knows it.
LEASE_REF = LeaseRef(
    bucket="gs://acme-locks/locks",
    name="prod",
    lease=HOLDER.lease,
    token=HOLDER.token,
    ttl_s=120.0,
    max_hold_s=3600.0,
    keeper="process",
)
# Stands in every secret of SPEC.
CANARY = "canary-5e1f"
SPEC = KeeperSpec(
    lease_ref=replace(
        LEASE_REF, keeper="sidecar", waited_s=36.0, granted_at=HOLDER.granted_at, on_lost="cancel"
    ),
    job=GitHubJob(
        event_path="/github/workflow/event.json",
        api_url="https://api.github.com",
        repository="acme/api",
        run_id="8123",
        token=f"{CANARY}-job",
    ),
    credentials=PinnedCredentials(info={"type": "service_account", "private_key": f"{CANARY}-key"}),
    proxies={"https_proxy": f"http://{CANARY}-proxy@proxy"},
)


def held_by(owner: Owner, *, frozen_by: str = "") -> WaitStatus:
    """Return a wait for a lock that this owner holds, and that somebody froze."""
    freeze = replace(FREEZE, reason=owner.reason, author=frozen_by)
    record = replace(
        RECORD,
        holders=(replace(HOLDER, owner=owner),),
        frozen=freeze if frozen_by else None,
    )
    return replace(WAIT_STATUS, record=record, trouble=owner.reason)
