"""A lease as its holder believes in it, and how its loss is told."""

import math
from dataclasses import replace

import pytest

from gcs_ci_lock.locking.lease import Lost, max_hold_over, removed_from_record, renewal_overdue
from gcs_ci_lock.protocol.record import Holder, LossReason, PastLease
from gcs_ci_lock.protocol.transitions import NotHeld
from tests.support.samples import ENDED, HOLDER, LEASE, NOW

pytestmark = pytest.mark.example


@pytest.mark.parametrize(
    ("trouble", "because"), [("", ""), ("no\nanswer", " (no?answer)")], ids=["silent", "known"]
)
def test_a_holder_that_gives_up_says_why(trouble: str, because: str) -> None:
    lost = renewal_overdue(LEASE, 1_090.0, trouble)

    assert lost.message == (f"token 41 could not be renewed for 1m30s; the limit is 1m20s{because}")
    assert renewal_overdue(LEASE, 1_090.0).message.endswith("the limit is 1m20s")


@pytest.mark.parametrize(
    ("ended", "holders", "message"),
    [
        (
            None,
            (),
            "token 41 is not in the record any more: somebody deleted or replaced the record",
        ),
        (
            replace(ENDED, outcome="expired", ended_at=3.0, note=""),
            (),
            "token 41 expired at 00:00:03Z",
        ),
        (
            replace(ENDED, outcome="evicted", ended_at=3.0, note="at\nonce"),
            (replace(HOLDER, token=42), replace(HOLDER, token=43)),
            'token 41 was evicted at 00:00:03Z ("at?once")',
        ),
    ],
)
def test_a_holder_is_told_how_its_lease_was_taken(
    ended: PastLease | None, holders: tuple[Holder, ...], message: str
) -> None:
    not_held = NotHeld(ended=ended, holders=holders)

    lost = removed_from_record(LEASE.token, not_held)

    reason = LossReason(ended.outcome) if ended else LossReason.RECORD_REPLACED
    assert lost == Lost(reason=reason, message=message, ended=ended, holders=holders)


@pytest.mark.parametrize(
    ("boot", "latest", "believed"),
    [
        (1_079.9, -math.inf, True),
        (1_080.0, -math.inf, False),
        (1_000.0, NOW + 90.9, True),
        (1_000.0, NOW + 91.0, False),
        (1_000.0, NOW + 120.0, False),
    ],
)
def test_a_lease_is_believed_up_to_its_deadline_and_a_margin_before_its_expiry(
    boot: float,
    latest: float,
    believed: bool,  # noqa: FBT001 - a row of the table
) -> None:
    assert LEASE.believes_held(boot, latest) == believed


def test_a_lease_that_was_held_for_max_hold_is_still_to_be_released() -> None:
    lost = max_hold_over(3600.0)

    assert lost.message == "max-hold (1h00m) is over"
    assert lost.max_hold_over
    assert not renewal_overdue(LEASE, 1_090.0).max_hold_over


@pytest.mark.parametrize("reason", list(LossReason))
def test_a_lease_that_its_keeper_released_was_lost_for_the_keepers_reason(
    reason: LossReason,
) -> None:
    ended = replace(ENDED, loss=reason, note="why")

    lost = removed_from_record(LEASE.token, NotHeld(ended=ended, holders=()))

    assert lost.reason is reason
    assert '("why")' in lost.message


def test_a_lease_is_lost_give_up_after_the_send_of_its_last_write() -> None:
    assert LEASE.deadline == LEASE.sent_at + LEASE.timing.give_up == 1_080.0
