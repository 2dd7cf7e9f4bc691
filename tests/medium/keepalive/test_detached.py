"""A process that survives the shell renews a lease."""

import gc
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gcs_ci_lock.errors import LockError
from gcs_ci_lock.keepalive import KeepAlive
from gcs_ci_lock.keepalive.detached import DetachedKeeper
from gcs_ci_lock.keepalive.keeper import Keeper
from gcs_ci_lock.keepalive.lease_file import KeeperFileLock, LeaseFile
from gcs_ci_lock.keepalive.lease_ref import LeaseRef
from gcs_ci_lock.locking.request import LockSettings
from gcs_ci_lock.protocol.record import Owner
from gcs_ci_lock.system.clock import SystemClock
from gcs_ci_lock.wiring import Connection, connect
from tests.contracts.keepalive_contract import KeepAliveContract
from tests.support.bucket import TestBucket
from tests.support.shell import until

# The process outlives what started it: that is its purpose.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


class ShiftedClock(SystemClock):
    """This machine's clock, which tests put forward."""

    def __init__(self) -> None:
        self.shift = 0.0

    def boottime(self) -> float:
        return super().boottime() + self.shift


class Lease:
    """A lease that was just acquired, with its file and what may renew it."""

    def __init__(self, bucket: TestBucket, folder: Path) -> None:
        self.bucket = bucket
        self.clock = ShiftedClock()
        self.file = LeaseFile(folder / "lease")
        settings = LockSettings(names=["prod"], bucket=bucket.uri, max_hold="10m")
        (request,) = settings.requests(owner=Owner())
        plain = connect(request.paths.location.bucket, endpoint=bucket.endpoint, environ={})
        connection: Connection = replace(plain, clock=self.clock)
        lock = connection.lock(request.paths, request.timing)
        lock.read()
        claimant = replace(request.claimant(connection.random.lease_id()), asked=lock.now())
        self.lease = lock.claim(claimant)
        lease_ref = LeaseRef.before_claim(
            request, self.lease.id, endpoint=bucket.endpoint, keeper="process"
        )
        self.file_lock = KeeperFileLock.acquire(self.file, self.clock)
        self.file_lock.write_working()
        self.file.write(lease_ref.granted(self.lease, waited=0.0))
        keeper = Keeper.of_new_lease(lock, self.lease, random=connection.random, max_hold=600.0)
        environ = {"PATH": os.environ["PATH"], "HOME": str(folder)}
        self.keepalive = DetachedKeeper(self.file, self.file_lock, keeper, environ=environ)

    @property
    def process(self) -> int:
        """The process that renews the lease, or 0."""
        info = self.file.keeper_info()
        return info.pid if info.alive and info.pid != os.getpid() else 0

    @property
    def holders(self) -> list[str]:
        return [holder["lease"] for holder in self.bucket.record("prod")["holders"]]


@pytest.fixture
def lease(bucket: TestBucket, tmp_path: Path) -> Iterator[Lease]:
    lease = Lease(bucket, tmp_path)
    yield lease
    lease.keepalive.stop()
    # Here, and not in a later test that has nothing to do with it.
    gc.collect()


@pytest.mark.contract
class TestContract(KeepAliveContract):
    # Its file is deleted at the pause, and a process that has no file has nothing to renew.
    restarts = False

    @pytest.fixture
    def keepalive(self, lease: Lease) -> KeepAlive:
        self.lease = lease
        return lease.keepalive

    def pass_time(self, keepalive: KeepAlive, seconds: float) -> None:  # noqa: ARG002
        self.lease.clock.shift += seconds

    def renews(self, keepalive: KeepAlive) -> bool:  # noqa: ARG002
        return self.lease.process != 0


@pytest.mark.example
def test_its_process_releases_the_lease_when_its_file_is_gone(lease: Lease) -> None:
    lease.keepalive.start()
    held = lease.holders

    lease.keepalive.pause()

    assert held == [lease.lease.id]
    assert lease.holders == []
    assert not lease.file.path.exists()


@pytest.mark.example
def test_only_its_process_knows_of_a_loss_once_it_renews(lease: Lease) -> None:
    lease.keepalive.start()

    lease.clock.shift += 81.0

    assert lease.keepalive.lost() is None


@pytest.mark.fault
def test_a_process_that_cannot_work_is_an_error_that_says_why(lease: Lease) -> None:
    lease.file.path.write_text("{}")

    with pytest.raises(LockError, match="the background keeper did not start"):
        lease.keepalive.start()

    assert lease.process == 0
    assert lease.keepalive.lost() is None


@pytest.mark.fault
def test_a_process_that_was_killed_renews_no_more(lease: Lease) -> None:
    lease.keepalive.start()

    os.kill(lease.process, signal.SIGKILL)

    until(lambda: lease.process == 0)
    assert lease.holders == [lease.lease.id]
