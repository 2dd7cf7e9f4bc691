"""How a job's lease ended."""

from dataclasses import replace

import pytest

from gcs_ci_lock.keepalive.ending import (
    RecordReplaced,
    how_it_ended,
    loss_before_release,
)
from gcs_ci_lock.keepalive.sidecar.messages import KeeperPhase, KeeperStatus
from gcs_ci_lock.locking.lease import Lost
from gcs_ci_lock.protocol.record import LossReason
from gcs_ci_lock.protocol.transitions import NotHeld
from tests.support.samples import ENDED, SPEC

pytestmark = pytest.mark.example

LEASE_REF = SPEC.lease_ref
RELEASED = replace(ENDED, token=LEASE_REF.token, note="")
GIVEN_UP = Lost(reason=LossReason.RENEWAL_OVERDUE, message="token 41 could not be renewed")


def test_a_lease_that_was_released_in_good_order_was_not_lost() -> None:
    assert how_it_ended(LEASE_REF, None, RELEASED) is None


def test_a_keeper_that_gave_up_knows_the_loss() -> None:
    status = KeeperStatus(phase="lost", reason=GIVEN_UP.message, loss=GIVEN_UP.reason)

    assert loss_before_release(LEASE_REF, status, gone=False) == GIVEN_UP


@pytest.mark.parametrize("phase", ["keeping", "missing", "released", "failed"])
def test_any_other_status_is_no_loss(phase: KeeperPhase) -> None:
    assert loss_before_release(LEASE_REF, KeeperStatus(phase=phase), gone=False) is None
    assert loss_before_release(LEASE_REF, None, gone=False) is None


def test_a_keeper_that_is_gone_is_a_loss() -> None:
    lost = loss_before_release(LEASE_REF, None, gone=True)

    assert lost is not None
    assert lost.reason is LossReason.KEEPER_GONE
    assert "token 41: its keeper is gone" in lost.message


def test_whoever_asks_again_is_told_the_same_loss() -> None:
    noted = replace(RELEASED, note=GIVEN_UP.message, loss=GIVEN_UP.reason)

    assert how_it_ended(LEASE_REF, GIVEN_UP, noted) == GIVEN_UP
    assert how_it_ended(LEASE_REF, None, noted) == GIVEN_UP


@pytest.mark.parametrize("reason", list(LossReason))
def test_what_its_keeper_released_by_itself_is_lost_to_a_job_that_goes_on(
    reason: LossReason,
) -> None:
    lost = how_it_ended(LEASE_REF, None, replace(RELEASED, note="token 41: why", loss=reason))

    assert lost == Lost(reason=reason, message="token 41: why")


def test_a_note_alone_is_no_loss() -> None:
    assert how_it_ended(LEASE_REF, None, replace(RELEASED, note="lost: in a sentence")) is None


def test_what_the_job_itself_released_early_is_not_lost_though_its_keeper_is_gone() -> None:
    gone = loss_before_release(LEASE_REF, None, gone=True)

    assert how_it_ended(LEASE_REF, gone, RELEASED) is None


@pytest.mark.parametrize("outcome", ["evicted", "expired"])
def test_a_lease_that_others_ended_is_lost(outcome: str) -> None:
    ended = replace(RELEASED, outcome=outcome)  # type: ignore[arg-type]  # of a parametrised test

    lost = how_it_ended(LEASE_REF, None, NotHeld(ended=ended, holders=()))

    assert isinstance(lost, Lost)
    assert lost.reason == outcome
    assert outcome in lost.message


def test_a_record_that_knows_nothing_of_the_lease_is_a_strangers() -> None:
    unknown = NotHeld(ended=None, holders=())

    assert isinstance(how_it_ended(LEASE_REF, None, unknown), RecordReplaced)
    assert how_it_ended(LEASE_REF, GIVEN_UP, unknown) == GIVEN_UP


def test_what_was_never_granted_cannot_be_lost() -> None:
    asked = replace(LEASE_REF, token=0)

    assert how_it_ended(asked, None, NotHeld(ended=None, holders=())) is None
