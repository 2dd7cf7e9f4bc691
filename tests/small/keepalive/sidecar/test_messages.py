"""What a sidecar keeper gets and what it reports, as text."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gcs_ci_lock.errors import UsageError
from gcs_ci_lock.keepalive.sidecar.messages import PHASES, KeeperSpec, KeeperStatus
from tests.support.samples import CANARY, SPEC


@pytest.mark.example
def test_a_spec_is_read_as_it_was_written() -> None:
    text = SPEC.to_json()

    assert "\n" not in text
    assert KeeperSpec.from_json(text, source="standard input") == SPEC


@pytest.mark.example
def test_a_spec_shows_no_secret() -> None:
    assert CANARY not in repr(SPEC)


@pytest.mark.property
@given(
    key=st.sampled_from(["schema", "handover", "job", "pinned", "proxies", "more"]),
    value=st.one_of(st.none(), st.integers(), st.text(), st.lists(st.text()), st.just({"a": 1})),
)
def test_another_spec_is_refused_and_not_repeated(key: str, value: object) -> None:
    document = json.loads(SPEC.to_json()) | {key: value}

    with pytest.raises(UsageError) as refusal:
        KeeperSpec.from_json(json.dumps(document), source="standard input")

    assert str(refusal.value).startswith("standard input ")
    assert CANARY not in str(refusal.value)


@pytest.mark.example
@pytest.mark.parametrize("text", ["", "{", "[]", "7", '{"schema": 1}'])
def test_what_is_no_spec_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="standard input is not what"):
        KeeperSpec.from_json(text, source="standard input")


@pytest.mark.property
@given(
    status=st.builds(
        KeeperStatus,
        phase=st.sampled_from(PHASES),
        beats=st.integers(0, 10**6),
        missed=st.integers(0, 10**6),
        reason=st.text(max_size=50),
    )
)
def test_a_status_is_read_as_it_was_written(status: KeeperStatus) -> None:
    assert KeeperStatus.from_json(status.to_json()) == status


@pytest.mark.property
@given(st.text(max_size=80))
def test_what_is_no_status_is_none(line: str) -> None:
    assert KeeperStatus.from_json(line) is None


@pytest.mark.example
@pytest.mark.parametrize("phase", ["", "released ", "KEEPING", "dead"])
def test_a_status_of_an_unknown_phase_is_none(phase: str) -> None:
    assert (
        KeeperStatus.from_json(KeeperStatus(phase="lost").to_json().replace('"lost"', f'"{phase}"'))
        is None
    )


@pytest.mark.example
def test_only_an_end_is_final() -> None:
    final = [phase for phase in PHASES if KeeperStatus(phase=phase).final]

    assert final == ["lost", "released", "failed"]


@pytest.mark.example
def test_a_spec_continues_with_what_was_granted() -> None:
    granted = replace(SPEC.lease_ref, token=42)

    spec = SPEC.granted(granted)

    assert spec.lease_ref == granted
    assert spec == replace(SPEC, lease_ref=granted)
    assert spec.lease_ref != SPEC.lease_ref


@pytest.mark.example
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"schema": 1', '"schema": 2'),
        ('"schema": 1', '"schema": 0'),
        ('"run_id": "8123"', '"run_id": 8123'),
        ('"run_id"', '"runs"'),
        ('"https_proxy": "http', '"https_proxy": 7, "x": "http'),
    ],
)
def test_a_spec_with_one_wrong_field_is_refused(old: str, new: str) -> None:
    assert old in SPEC.to_json()

    with pytest.raises(UsageError, match=r"^standard input is not what gcs-ci-lock wrote"):
        KeeperSpec.from_json(SPEC.to_json().replace(old, new), source="standard input")
