"""`mode: acquire`: the locks are acquired, and something renews their leases."""

import pytest

from gcs_ci_lock.action.state import StepState
from gcs_ci_lock.errors import LeaseLost, NotAcquired, StorageUnreachable, UsageError
from gcs_ci_lock.keepalive.sidecar.errors import SidecarUnavailable
from gcs_ci_lock.keepalive.sidecar.messages import KeeperSpec, KeeperStatus
from gcs_ci_lock.locking.outcome import Stopped
from gcs_ci_lock.protocol.record import LossReason
from gcs_ci_lock.storage.memory import Moment, Request
from tests.support.faults import Outage
from tests.support.memory_step import TOKEN, MemoryJob

pytestmark = pytest.mark.example

NO_ENGINE = SidecarUnavailable("there is no Docker socket /var/run/docker.sock")


def test_a_sidecar_renews_the_lease(job: MemoryJob) -> None:
    step = job.step()

    code = step.acquire()

    assert code == 0
    assert job.holders() == ["lock-1"]
    (spec,) = job.engine.specs
    assert (spec.lease_ref.lease, spec.lease_ref.token) == ("lock-1", TOKEN)
    assert spec.lease_ref.keeper == "sidecar"
    assert job.engine.containers["lock-1"].runs
    assert step.outputs["acquired"] == "true"
    assert step.outputs["outcome"] == "acquired"
    assert step.outputs["fencing-token"] == str(TOKEN)
    assert step.outputs["lock-uri"] == "gs://acme-locks/locks/prod"
    assert step.log == [
        f'Acquired lock "prod" after 0s: fencing token {TOKEN}, renewed every 20s by a sidecar'
    ]


def test_post_and_the_keeper_get_what_they_need(job: MemoryJob) -> None:
    step = job.step(github_token="t0ken", on_lost="cancel")
    step.files.environ |= {"https_proxy": "http://proxy", "GITHUB_API_URL": "https://api.test"}

    step.acquire()

    (spec,) = job.engine.specs
    assert spec.job.token == "t0ken"
    assert spec.job.api_url == "https://api.test"
    assert spec.proxies == {"https_proxy": "http://proxy"}
    assert spec.lease_ref.on_lost == "cancel"
    assert step.state("entrypoint-post").lease_refs() == [spec.lease_ref]
    assert step.state().keeper_spec(spec.lease_ref) == spec
    # Secrets stand in the file alone.
    assert "t0ken" not in step.files.state["lease"]
    assert job.engine.steps == {"lock-1": step.state().step_id}


def test_without_renewal_the_lease_lasts_longer_than_it_may_be_held(job: MemoryJob) -> None:
    step = job.step(keep_alive="none", max_hold="10m")

    code = step.acquire()

    assert code == 0
    assert job.engine.specs == []
    (holder,) = job.record().holders
    assert holder.ttl == 900
    assert "valid for 10m00s without renewal" in step.log[0]
    assert step.said("warning").startswith("This lease is not renewed (keep-alive: none).")


def test_without_an_engine_it_goes_on_without_renewal_and_says_why(job: MemoryJob) -> None:
    job.engine.trouble = NO_ENGINE
    step = job.step(max_hold="10m")

    assert step.acquire() == 0

    assert job.holders() == ["lock-1"]
    assert "No keeper can be started: there is no Docker socket" in step.said("warning")
    assert "mode: hold" in step.said("warning")


def test_a_sidecar_that_is_asked_for_and_impossible_is_an_error(job: MemoryJob) -> None:
    job.engine.trouble = NO_ENGINE
    step = job.step(keep_alive="sidecar")

    with pytest.raises(SidecarUnavailable, match="keep-alive: sidecar is not possible here") as no:
        step.acquire()

    assert "mode: hold" in str(no.value)
    assert job.world.bucket.objects == {}


def test_a_hold_that_is_too_long_without_a_keeper_says_why_there_is_none(job: MemoryJob) -> None:
    job.engine.trouble = NO_ENGINE
    step = job.step(max_hold="24h")

    with pytest.raises(UsageError, match=r"max-hold .* is too long .* No keeper can be started"):
        step.acquire()


def test_a_container_that_does_not_start_gives_the_lock_back_before_the_next_try(
    job: MemoryJob,
) -> None:
    job.engine.start_trouble = SidecarUnavailable("the engine refused")
    step = job.step(max_hold="10m")

    assert step.acquire() == 0

    first, second = "lock-1", "lock-2"
    assert job.record().past(first) is not None
    assert job.holders() == [second]
    assert [path.stem.rpartition("-lock-")[2] for path in job.files()] == ["2"]
    (left,) = step.state("entrypoint-post").lease_refs()
    assert (left.lease, left.keeper) == (second, "none")


@pytest.mark.parametrize(
    ("on_timeout", "code", "kind"), [("fail", 75, "error"), ("skip", 0, "warning")]
)
def test_a_held_lock_ends_the_wait(job: MemoryJob, on_timeout: str, code: int, kind: str) -> None:
    job.world.client("holder", ttl=600).hold()
    step = job.step(wait="30s", on_timeout=on_timeout)

    assert step.acquire() == code

    assert 'could not acquire lock "prod"' in step.said(kind)
    assert step.outputs["acquired"] == "false"
    assert step.outputs["outcome"] == "timeout"
    assert step.outputs["waited-seconds"] == "30"
    assert job.world.tickets() == []
    assert job.files() == []
    assert step.state("entrypoint-post").is_known_empty


@pytest.mark.parametrize(
    ("on_timeout", "code", "kind"), [("fail", 75, "error"), ("skip", 0, "warning")]
)
def test_an_outdated_run_is_not_granted(
    job: MemoryJob, on_timeout: str, code: int, kind: str
) -> None:
    newer = job.step("newer", sequence="7")
    newer.acquire()
    newer.post()
    step = job.step("older", sequence="6", on_timeout=on_timeout)

    assert step.acquire() == code

    assert "outdated, sequence 7 was already granted" in step.said(kind)
    assert step.outputs["outcome"] == "outdated"
    assert job.holders() == []


def test_a_stop_during_the_wait_ends_it_and_leaves_nothing(job: MemoryJob) -> None:
    job.world.client("holder", ttl=600).hold()
    step = job.step()
    job.world.clock.after(20.0, step.stop.set)

    outcome = step.acquire()

    assert isinstance(outcome, Stopped)
    assert 'Stopped waiting for lock "prod"' in step.log
    assert job.world.tickets() == []
    assert job.files() == []


def test_a_claim_is_released_where_the_stop_comes_with_its_answer(job: MemoryJob) -> None:
    client = job.world.client("lock")
    step = job.step(client=client, keep_alive="none")

    def stop_at_the_claim(request: Request, when: Moment) -> None:
        if request.method == "write" and when == "after":
            step.stop.set()

    client.store._fault = stop_at_the_claim  # noqa: SLF001 - from now on

    outcome = step.acquire()

    assert isinstance(outcome, Stopped)
    assert job.holders() == []
    assert step.log == ['Stopped waiting for lock "prod"']


def test_a_lock_that_is_acquired_before_the_stop_is_released(
    job: MemoryJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = job.step(keep_alive="none")
    write = StepState.write

    def stop_after_the_grant(state: StepState, spec: KeeperSpec) -> None:
        write(state, spec)
        if spec.lease_ref.token:
            step.stop.set()

    monkeypatch.setattr(StepState, "write", stop_after_the_grant)

    outcome = step.acquire()

    assert isinstance(outcome, Stopped)
    assert job.holders() == []
    assert job.files() == []
    assert f'Released lock "prod" (fencing token {TOKEN})' in step.log
    assert "acquired" not in step.outputs


def test_several_locks_are_acquired_in_one_order(job: MemoryJob) -> None:
    step = job.step(name="web\ndb")

    assert step.acquire() == 0

    assert step.outputs["lock-uri"].splitlines() == [
        "gs://acme-locks/locks/db",
        "gs://acme-locks/locks/web",
    ]
    assert step.outputs["lease-id"].splitlines() == ["lock-1", "lock-2"]
    assert step.outputs["fencing-token"].splitlines() == [str(TOKEN)] * 2
    assert [ref.name for ref in step.state("entrypoint-post").lease_refs()] == ["db", "web"]


def test_where_one_of_several_is_held_none_is(job: MemoryJob) -> None:
    other = job.step("other", name="web", keep_alive="none", max_hold="10m")
    other.acquire()
    step = job.step(name="db\nweb", wait="10s")

    assert step.acquire() == NotAcquired.exit_code

    assert job.holders("db") == []
    assert job.holders("web") == ["other-1"]
    assert job.engine.journal == ["stop lock-1"]
    assert step.state("entrypoint-post").lease_refs() == []


def test_a_loss_that_a_keeper_reports_during_the_next_wait_releases_all(job: MemoryJob) -> None:
    other = job.step("other", name="web", keep_alive="none", max_hold="30s")
    other.acquire()
    step = job.step(name="db\nweb", wait="5m")

    def lose() -> None:
        status = KeeperStatus(
            phase="lost", reason=f"token {TOKEN} was evicted", loss=LossReason.EVICTED
        )
        job.engine.containers["lock-1"].end(status)

    job.world.clock.after(5.0, lose)

    with pytest.raises(LeaseLost, match=f'lease on lock "db" lost: token {TOKEN} was evicted'):
        step.acquire()

    assert job.holders("db") == []
    assert job.holders("web") == []
    assert step.outputs["acquired"] == "false"


@pytest.mark.fault
def test_a_server_that_is_down_is_an_error_and_nothing_is_acquired(job: MemoryJob) -> None:
    outage = Outage()
    outage.down = True
    step = job.step(client=job.world.client("lock", fault=outage))

    with pytest.raises(StorageUnreachable):
        step.acquire()

    assert step.outputs["acquired"] == "false"
    assert job.files() == []


@pytest.mark.fault
def test_what_may_be_left_of_a_claim_is_left_to_the_post_stage(job: MemoryJob) -> None:
    outage = Outage()

    def lost_for_good(request: Request, when: Moment) -> None:
        outage.down = outage.down or (request.method == "write" and when == "after")
        outage(request, when)
        if outage.down:
            outage(request, "before")

    step = job.step(client=job.world.client("lock", fault=lost_for_good))

    with pytest.raises(StorageUnreachable):
        step.acquire()
    (left,) = step.state("entrypoint-post").lease_refs()
    outage.down = False
    step.client.store._fault = lambda *_: None  # noqa: SLF001 - the server is back
    code = step.post()

    assert (left.lease, left.token) == ("lock-1", 0)
    assert code == 0
    assert job.holders() == []
