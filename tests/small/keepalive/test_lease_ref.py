"""The reference by which another process of the job adopts a lease."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gcs_ci_lock.errors import UsageError
from gcs_ci_lock.keepalive.lease_ref import KeeperKind, LeaseRef, OnLost
from gcs_ci_lock.locking.lease import LeaseState
from gcs_ci_lock.locking.request import LockRequest
from gcs_ci_lock.protocol.names import Location, LockPaths
from gcs_ci_lock.protocol.record import Owner
from gcs_ci_lock.protocol.timing import Timing
from tests.support.samples import LEASE_REF


def decode(text: str) -> LeaseRef:
    return LeaseRef.from_json(text, source="lease file x")


@pytest.mark.example
def test_a_reference_is_read_as_it_was_written() -> None:
    assert decode(LEASE_REF.to_json()) == LEASE_REF
    assert LEASE_REF.paths.uri == "gs://acme-locks/locks/prod"
    assert LEASE_REF.timing.renew_every == 20.0
    assert "\n" not in LEASE_REF.to_json()


@pytest.mark.example
def test_a_lease_without_a_keeper_has_no_renewals() -> None:
    unrenewed = decode(LEASE_REF.to_json().replace('"process"', '"none"'))

    assert unrenewed.timing.renew_every is None
    assert unrenewed.timing.give_up == 80.0


@pytest.mark.property
@given(st.text(max_size=100))
def test_any_text_is_a_lease_or_refused_by_its_source(text: str) -> None:
    with pytest.raises(UsageError, match=r"^lease file x does not describe a lease"):
        decode(text)


@pytest.mark.example
@pytest.mark.parametrize(
    "changes",
    [
        {"schema": 2},
        {"bucket": "../x"},
        {"name": "../x"},
        {"lease": "a/b"},
        {"token": -1},
        {"token": "41"},
        {"ttl_s": 3},
        {"ttl_s": float("nan")},
        {"max_hold_s": -1},
        {"endpoint": None},
        {"more": 1},
    ],
    ids=str,
)
def test_a_damaged_lease_is_refused(changes: dict[str, object]) -> None:
    text = json.dumps({**json.loads(LEASE_REF.to_json()), **changes})

    with pytest.raises(UsageError, match="expected what gcs-ci-lock wrote"):
        decode(text)


@pytest.mark.example
@pytest.mark.parametrize("key", sorted(json.loads(LEASE_REF.to_json())))
def test_a_lease_without_one_of_its_fields_is_refused(key: str) -> None:
    fields = json.loads(LEASE_REF.to_json())
    del fields[key]

    with pytest.raises(UsageError):
        decode(json.dumps(fields))


@pytest.mark.example
def test_a_document_that_is_too_deep_is_refused() -> None:
    with pytest.raises(UsageError):
        decode("[" * 100_000)


@pytest.mark.example
@pytest.mark.parametrize(("keeper", "on_lost"), [("sidecar", "cancel"), ("none", "warn")])
def test_a_request_becomes_a_reference_and_the_grant_completes_it(
    keeper: KeeperKind, on_lost: OnLost
) -> None:
    request = LockRequest(
        paths=LockPaths(location=Location.parse("gs://acme-locks/prefix"), name="acme/prod"),
        owner=Owner(),
        timing=Timing.for_ttl(90.0),
        max_hold=500.0,
    )
    lease = LeaseState(
        id="abc",
        token=41,
        timing=request.timing,
        revision=1,
        sent_at=7.0,
        expires_at=1_000_090.0,
    )

    asked = LeaseRef.before_claim(
        request, "abc", endpoint="http://127.0.0.1:1", keeper=keeper, on_lost=on_lost
    )
    granted = asked.granted(lease, waited=3.5)

    assert asked == LeaseRef(
        bucket="gs://acme-locks/prefix",
        name="acme/prod",
        lease="abc",
        token=0,
        ttl_s=90.0,
        max_hold_s=500.0,
        keeper=keeper,
        endpoint="http://127.0.0.1:1",
        waited_s=0.0,
        granted_at=0.0,
        on_lost=on_lost,
    )
    assert granted == replace(asked, token=41, waited_s=3.5, granted_at=1_000_000.0)
    assert LeaseRef.before_claim(request, "abc", endpoint="", keeper=keeper).on_lost == "fail"


@pytest.mark.example
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("7", "the lease should be an object, found 7"),
        ("{}", 'the lease should be an object with "schema", found []'),
        (
            LEASE_REF.to_json().replace('"schema": 1', '"schema": 0'),
            "the lease.schema should be an integer from 1 to 1, found 0",
        ),
        (
            LEASE_REF.to_json().replace('"schema": 1', '"schema": 2'),
            "the lease.schema should be an integer from 1 to 1, found 2",
        ),
        (
            LEASE_REF.to_json().replace("process", "daemon"),
            "keeper should be one of none, process, sidecar, found 'daemon'",
        ),
    ],
)
def test_a_damaged_reference_is_refused_with_its_source(text: str, reason: str) -> None:
    with pytest.raises(UsageError) as refusal:
        LeaseRef.from_json(text, source="lease file x")

    assert str(refusal.value) == (
        f"lease file x does not describe a lease ({reason}): "
        "expected what gcs-ci-lock wrote when it acquired the lock"
    )


@pytest.mark.example
def test_a_long_wrong_value_is_truncated() -> None:
    text = json.dumps({**json.loads(LEASE_REF.to_json()), "bucket": "!" * 300})

    with pytest.raises(UsageError) as refusal:
        LeaseRef.from_json(text, source="x")

    inner = str(refusal.value).removeprefix("x does not describe a lease (").split("): expected")[0]
    assert len(inner) == 120
    assert inner.endswith("...")


@pytest.mark.example
@pytest.mark.parametrize("keeper", ["", "daemon", 1, 0, None, [], {}])
def test_a_reference_without_a_valid_keeper_is_refused(keeper: object) -> None:
    text = json.dumps(json.loads(LEASE_REF.to_json()) | {"keeper": keeper})

    with pytest.raises(UsageError, match="keeper"):
        LeaseRef.from_json(text, source="lease file x")


@pytest.mark.example
def test_a_reference_that_has_a_key_twice_is_refused() -> None:
    text = LEASE_REF.to_json()[:-1] + ', "token": 7}'

    with pytest.raises(UsageError, match="twice"):
        LeaseRef.from_json(text, source="lease file x")
