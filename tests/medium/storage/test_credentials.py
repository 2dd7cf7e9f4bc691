"""Credentials that are pinned by their content, against a token exchange on this machine."""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from gcs_ci_lock.errors import Denied, OutcomeUnknown, UsageError
from gcs_ci_lock.locking.client import LockClient
from gcs_ci_lock.locking.lease import LeaseState
from gcs_ci_lock.protocol.names import Location, LockPaths
from gcs_ci_lock.protocol.queue import Claimant
from gcs_ci_lock.protocol.record import Owner
from gcs_ci_lock.protocol.timing import Timing
from gcs_ci_lock.storage.endpoint import Endpoint
from gcs_ci_lock.storage.pinned import AMBIENT, PinnedCredentials
from gcs_ci_lock.system.clock import SystemRandom
from gcs_ci_lock.wiring import connect, resolve_credentials
from tests.support.bucket import TestBucket
from tests.support.fake_sts import REQUEST_TOKEN, FakeSts

pytestmark = pytest.mark.fault

PROVIDER = "projects/1/locations/global/workloadIdentityPools/github/providers/acme"


@pytest.fixture
def sts() -> Iterator[FakeSts]:
    with FakeSts() as sts:
        yield sts


@pytest.fixture(autouse=True)
def _credentials_may_go_to_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let plain http on this machine have credentials: https would need a certificate."""
    chosen = Endpoint.choose

    def with_credentials(given: str | None, environ: Mapping[str, str]) -> Endpoint:
        return replace(chosen(given, environ), anonymous=False)

    monkeypatch.setattr(Endpoint, "choose", with_credentials)


def lock_of(bucket: TestBucket, pinned: PinnedCredentials) -> LockClient:
    location = Location.parse(bucket.uri)
    connection = connect(location.bucket, endpoint=bucket.endpoint, environ={}, pinned=pinned)
    return connection.lock(LockPaths(location=location, name="prod"), Timing.for_ttl(120.0))


def claimed(lock: LockClient) -> LeaseState:
    lock.read()
    lease = SystemRandom().lease_id()
    return lock.claim(Claimant(lease=lease, owner=Owner(), slots=1, ttl=120.0, asked=lock.now()))


def test_a_keeper_renews_its_token_as_often_as_it_runs_out(
    bucket: TestBucket, sts: FakeSts
) -> None:
    # As main and keeper do: the content travels as text, and is loaded elsewhere.
    text = resolve_credentials({}, credentials_json=json.dumps(sts.configuration())).to_json()
    lock = lock_of(bucket, PinnedCredentials.from_json(text, source="standard input"))
    lease = claimed(lock)
    before = len(sts.exchanged)

    for _ in range(3):
        renewed = lock.renew(lease)
        assert isinstance(renewed, LeaseState)
        lease = renewed

    assert len(sts.exchanged) - before == 3
    # A new token of the job for each, asked for as GitHub wants it.
    assert [form["subject_token"] for form in sts.exchanged][-1] == f"jwt-{len(sts.asked)}"
    assert sts.asked[-1] == ({"audience": "acme"}, f"Bearer {REQUEST_TOKEN}")
    assert bucket.record("prod")["holders"][0]["beat"] == lease.revision


def test_a_token_that_is_good_for_long_is_asked_for_once(bucket: TestBucket, sts: FakeSts) -> None:
    sts.expires_in = 3600
    lock = lock_of(
        bucket, resolve_credentials({}, credentials_json=json.dumps(sts.configuration()))
    )

    lock.renew(claimed(lock))

    assert len(sts.exchanged) == 1


def test_a_file_that_is_deleted_after_the_acquire_harms_nothing(
    bucket: TestBucket, sts: FakeSts, tmp_path: Path
) -> None:
    path = tmp_path / "gha-creds-1.json"
    path.write_text(json.dumps(sts.configuration()))
    pinned = resolve_credentials({"GOOGLE_APPLICATION_CREDENTIALS": str(path)})

    path.unlink()

    lock = lock_of(bucket, pinned)
    assert isinstance(lock.renew(claimed(lock)), LeaseState)


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_token_in_a_file_is_read_when_it_is_pinned(
    bucket: TestBucket, sts: FakeSts, tmp_path: Path, form: str
) -> None:
    token = tmp_path / "token"
    token.write_text("from-file\n" if form == "text" else '{"id": "from-file"}')
    source = {"file": str(token), "format": {"type": form, "subject_token_field_name": "id"}}
    path = tmp_path / "config.json"
    given = json.dumps(sts.configuration(credential_source=source))
    path.write_text(given)
    pinned = resolve_credentials({"GOOGLE_APPLICATION_CREDENTIALS": str(path)})
    by_content = resolve_credentials({}, credentials_json=given)

    token.unlink()
    lock_of(bucket, PinnedCredentials.from_json(pinned.to_json(), source="x")).read()

    assert by_content == pinned
    assert [form["subject_token"] for form in sts.exchanged] == ["from-file"]


def test_this_process_reads_the_token_anew_each_time(
    bucket: TestBucket, sts: FakeSts, tmp_path: Path
) -> None:
    token, path = tmp_path / "token", tmp_path / "config.json"
    path.write_text(json.dumps(sts.configuration(credential_source={"file": str(token)})))
    location = Location.parse(bucket.uri)
    token.write_text("first")
    environ = {"GOOGLE_APPLICATION_CREDENTIALS": str(path)}
    connection = connect(location.bucket, endpoint=bucket.endpoint, environ=environ)
    lock = connection.lock(LockPaths(location=location, name="prod"), Timing.for_ttl(120.0))

    lock.read()
    token.write_text("second")
    lock.read()

    assert [form["subject_token"] for form in sts.exchanged] == ["first", "second"]


def test_what_the_machine_offered_is_not_replaced_by_a_later_steps_file(
    bucket: TestBucket, sts: FakeSts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "later.json"
    path.write_text(json.dumps(sts.configuration()))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    monkeypatch.setattr("google.auth.compute_engine._metadata.is_on_gce", lambda _: False)

    with pytest.raises(Denied, match="there is no metadata server"):
        lock_of(bucket, AMBIENT)

    assert sts.asked == []


def test_gclouds_own_file_is_found(sts: FakeSts, tmp_path: Path) -> None:
    folder = tmp_path / ".config" / "gcloud"
    folder.mkdir(parents=True)
    (folder / "application_default_credentials.json").write_text(json.dumps(sts.configuration()))

    assert resolve_credentials({"HOME": str(tmp_path)}).info == sts.configuration()
    assert resolve_credentials({"CLOUDSDK_CONFIG": str(folder)}).info == sts.configuration()
    assert resolve_credentials({"HOME": str(tmp_path / "nobody")}) == AMBIENT


def test_a_job_of_gitlab_shows_its_own_token(bucket: TestBucket, sts: FakeSts) -> None:
    pinned = resolve_credentials({}, provider=PROVIDER, id_token="from-gitlab")
    assert pinned.info is not None

    lock_of(
        bucket, PinnedCredentials(info={**pinned.info, "token_url": f"{sts.url}/v1/token"})
    ).read()

    (form,) = sts.exchanged
    assert form["subject_token"] == "from-gitlab"
    assert form["audience"] == f"//iam.googleapis.com/{PROVIDER}"


def test_an_account_is_acted_as(bucket: TestBucket, sts: FakeSts) -> None:
    url = f"{sts.url}/v1/projects/-/serviceAccounts/x@acme.test:generateAccessToken"
    more = {"service_account_impersonation_url": url}

    lock_of(
        bucket, resolve_credentials({}, credentials_json=json.dumps(sts.configuration(**more)))
    ).read()

    assert sts.impersonated == [(url.removeprefix(sts.url), "Bearer access-1")]


@pytest.mark.parametrize("status", [400, 401, 403])
def test_an_exchange_that_refuses_is_a_denial_without_secrets(
    bucket: TestBucket, sts: FakeSts, status: int
) -> None:
    sts.status = status
    lock = lock_of(
        bucket, resolve_credentials({}, credentials_json=json.dumps(sts.configuration()))
    )

    with pytest.raises(Denied) as refused:
        lock.read()

    assert "the credentials were refused" in str(refused.value)
    assert "canary" not in str(refused.value)
    assert "jwt-" not in str(refused.value)


def test_an_exchange_that_is_gone_is_waited_for(bucket: TestBucket) -> None:
    with FakeSts() as sts:
        lock = lock_of(
            bucket, resolve_credentials({}, credentials_json=json.dumps(sts.configuration()))
        )
        lease = claimed(lock)

    with pytest.raises(OutcomeUnknown):
        lock.renew(lease)


@pytest.mark.parametrize(
    "content",
    [
        *("", "{", "[]", '"canary"', '{"canary": 1}', '{"type": 7}', '{"type": "canary-type"}'),
        '{"type": "external_account", "credential_source": []}',
        '{"type": "impersonated_service_account"}',
    ],
)
def test_what_is_no_configuration_is_refused_and_not_repeated(
    bucket: TestBucket, tmp_path: Path, content: str
) -> None:
    path = tmp_path / "creds.json"
    path.write_text(content)

    with pytest.raises(Denied) as refused:
        lock_of(bucket, resolve_credentials({"GOOGLE_APPLICATION_CREDENTIALS": str(path)})).read()

    assert "there are no usable Google credentials" in str(refused.value)
    assert "canary" not in str(refused.value)


def test_a_file_without_end_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "creds.json"
    path.write_text(" " * 300_000)

    with pytest.raises(Denied, match="larger than 262144 bytes"):
        resolve_credentials({"GOOGLE_APPLICATION_CREDENTIALS": str(path)})


@pytest.mark.parametrize("name", ["missing.json", "."])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / name

    with pytest.raises(Denied) as refused:
        resolve_credentials({"GOOGLE_APPLICATION_CREDENTIALS": str(path)})

    assert str(path) in str(refused.value)


def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)

    with pytest.raises(Denied, match="it is not a regular file"):
        resolve_credentials({"GOOGLE_APPLICATION_CREDENTIALS": str(path)})


def test_given_credentials_that_are_none_name_their_input() -> None:
    with pytest.raises(UsageError, match="credentials-json is not a Google credential"):
        resolve_credentials({}, credentials_json="canary")
