"""The record as data: its leases by their ids, and the words that programs act on."""

from dataclasses import replace

import pytest

from gcs_ci_lock.protocol.record import OUTCOMES, OWNER_FIELDS, LossReason
from tests.support.samples import ENDED, HOLDER, RECORD

pytestmark = pytest.mark.example


def test_a_holder_is_found_by_its_lease() -> None:
    other = replace(HOLDER, lease="other", token=42)
    record = replace(RECORD, holders=(HOLDER, other))

    assert record.holder("other") == other
    assert record.holder(HOLDER.lease) == HOLDER
    assert record.holder(ENDED.lease) is None


def test_of_two_ends_of_one_lease_the_last_counts() -> None:
    again = replace(ENDED, outcome="evicted")
    record = replace(RECORD, history=(ENDED, again, replace(ENDED, lease="other")))

    assert record.past(ENDED.lease) == again
    assert record.past(HOLDER.lease) is None


def test_the_words_of_a_record_are_those_that_older_programs_wrote() -> None:
    assert OUTCOMES == ("released", "expired", "evicted")
    assert [str(reason) for reason in LossReason] == [
        "renewal_overdue",
        "max_hold",
        "keeper_gone",
        "keeper_stopped",
        "job_over",
        "released",
        "expired",
        "evicted",
        "record_replaced",
    ]


def test_each_outcome_is_a_loss_to_a_job_that_did_not_expect_it() -> None:
    assert [LossReason(outcome) for outcome in OUTCOMES] == [
        LossReason.RELEASED,
        LossReason.EXPIRED,
        LossReason.EVICTED,
    ]


def test_an_owner_says_nothing_unless_it_is_told() -> None:
    owner = type(HOLDER.owner)()

    assert {getattr(owner, key) for key in OWNER_FIELDS} == {""}
