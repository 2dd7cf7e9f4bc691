"""Edges of a lease's reference that only a deliberate change of its code showed to be untested."""

import json

import pytest

from gcs_ci_lock.errors import UsageError
from gcs_ci_lock.keepalive.lease_ref import LeaseRef

pytestmark = pytest.mark.example


LEASE = LeaseRef(
    bucket="gs://acme-locks/locks",
    name="prod",
    lease="k3v9",
    token=41,
    ttl_s=120.0,
    max_hold_s=3600.0,
    keeper="process",
    endpoint="",
)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("7", "the lease should be an object, found 7"),
        ("{}", 'the lease should be an object with "schema", found []'),
        (
            LEASE.to_json().replace('"schema": 1', '"schema": 0'),
            "the lease.schema should be an integer from 1 to 1, found 0",
        ),
        (
            LEASE.to_json().replace('"schema": 1', '"schema": 2'),
            "the lease.schema should be an integer from 1 to 1, found 2",
        ),
        (
            LEASE.to_json().replace("process", "daemon"),
            "keeper should be one of none, process, sidecar, found 'daemon'",
        ),
    ],
)
def test_a_damaged_lease_is_told_of_with_its_source(text: str, reason: str) -> None:
    with pytest.raises(UsageError) as refusal:
        LeaseRef.from_json(text, source="lease file x")

    assert str(refusal.value) == (
        f"lease file x does not describe a lease ({reason}): "
        "expected what gcs-ci-lock wrote when it acquired the lock"
    )


def test_what_is_said_of_a_damaged_lease_is_cut() -> None:
    text = json.dumps({**json.loads(LEASE.to_json()), "bucket": "!" * 300})

    with pytest.raises(UsageError) as refusal:
        LeaseRef.from_json(text, source="x")

    inner = str(refusal.value).removeprefix("x does not describe a lease (").split("): expected")[0]
    assert len(inner) == 120
    assert inner.endswith("...")
