"""A lease on its way from one process to another."""

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

LEASE = LeaseRef(
    bucket="gs://acme-locks/locks",
    name="acme/api/prod",
    lease="k3v9",
    token=41,
    ttl_s=120.0,
    max_hold_s=3600.0,
    keeper="process",
    endpoint="",
)


def decode(text: str) -> LeaseRef:
    return LeaseRef.from_json(text, source="lease file x")


@pytest.mark.example
def test_what_is_handed_over_arrives() -> None:
    assert decode(LEASE.to_json()) == LEASE
    assert LEASE.paths.uri == "gs://acme-locks/locks/acme/api/prod"
    assert LEASE.timing.renew_every == 20.0
    assert "\n" not in LEASE.to_json()


@pytest.mark.example
def test_a_lease_that_nobody_keeps_has_no_beat() -> None:
    unkept = decode(LEASE.to_json().replace('"process"', '"none"'))

    assert unkept.timing.renew_every is None
    assert unkept.timing.give_up == 80.0


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
    text = json.dumps({**json.loads(LEASE.to_json()), **changes})

    with pytest.raises(UsageError, match="expected what gcs-ci-lock wrote"):
        decode(text)


@pytest.mark.example
@pytest.mark.parametrize("key", sorted(json.loads(LEASE.to_json())))
def test_a_lease_without_one_of_its_fields_is_refused(key: str) -> None:
    fields = json.loads(LEASE.to_json())
    del fields[key]

    with pytest.raises(UsageError):
        decode(json.dumps(fields))


@pytest.mark.example
def test_a_document_that_is_too_deep_is_refused() -> None:
    with pytest.raises(UsageError):
        decode("[" * 100_000)


@pytest.mark.example
@pytest.mark.parametrize(("keeper", "on_lost"), [("sidecar", "cancel"), ("none", "warn")])
def test_what_is_asked_for_becomes_what_was_granted(keeper: KeeperKind, on_lost: OnLost) -> None:
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
