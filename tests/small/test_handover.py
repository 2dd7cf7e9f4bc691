"""A lease on its way from one process to another."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gcs_ci_lock.core.handover import Handover
from gcs_ci_lock.errors import UsageError

LEASE = Handover(
    bucket="gs://acme-locks/locks",
    name="acme/api/prod",
    lease="k3v9",
    token=41,
    ttl_s=120.0,
    max_hold_s=3600.0,
    keeper="process",
    endpoint="",
)


def decode(text: str) -> Handover:
    return Handover.decode(text, source="lease file x")


@pytest.mark.example
def test_what_is_handed_over_arrives() -> None:
    assert decode(LEASE.encoded()) == LEASE
    assert LEASE.paths.uri == "gs://acme-locks/locks/acme/api/prod"
    assert LEASE.timing.beat == 20.0
    assert "\n" not in LEASE.encoded()


@pytest.mark.example
def test_a_lease_that_nobody_keeps_has_no_beat() -> None:
    unkept = decode(LEASE.encoded().replace('"process"', '"none"'))

    assert unkept.timing.beat is None
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
    text = json.dumps({**json.loads(LEASE.encoded()), **changes})

    with pytest.raises(UsageError, match="expected what gcs-ci-lock wrote"):
        decode(text)


@pytest.mark.example
@pytest.mark.parametrize("key", sorted(json.loads(LEASE.encoded())))
def test_a_lease_without_one_of_its_fields_is_refused(key: str) -> None:
    fields = json.loads(LEASE.encoded())
    del fields[key]

    with pytest.raises(UsageError):
        decode(json.dumps(fields))


@pytest.mark.example
def test_a_document_that_is_too_deep_is_refused() -> None:
    with pytest.raises(UsageError):
        decode("[" * 100_000)
