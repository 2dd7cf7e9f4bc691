"""Who may enter: the decision on a record and a queue."""

from dataclasses import replace

import pytest

from gcs_ci_lock.protocol.admission import (
    AlreadyEnded,
    AlreadyHolding,
    MayClaim,
    MustWait,
    NeedsQueue,
    decide,
)
from gcs_ci_lock.protocol.record import Record
from gcs_ci_lock.protocol.transitions import (
    drop_expired,
)
from tests.support.samples import CLAIMANT, ENDED, FREEZE, HOLDER, NOW, RECORD

pytestmark = pytest.mark.example

ME = replace(CLAIMANT, lease=HOLDER.lease)
EMPTY = Record(name="prod", fence=41)


def test_a_frozen_lock_is_waited_for() -> None:
    decision = decide(replace(EMPTY, frozen=FREEZE), ME, tickets=[], earliest=NOW)

    assert isinstance(decision, MustWait)
    assert decision.frozen == FREEZE


@pytest.mark.parametrize(("freed_ago", "listed"), [(150.0, False), (149.9, True)])
def test_the_queue_is_listed_only_while_somebody_alive_may_wait(
    freed_ago: float, *, listed: bool
) -> None:
    record = replace(EMPTY, freed_at=NOW - freed_ago)

    decision = decide(record, ME, tickets=None, earliest=NOW)

    assert isinstance(decision, NeedsQueue if listed else MayClaim)


def test_a_held_lock_needs_the_queue_and_then_waiting() -> None:
    assert isinstance(decide(RECORD, CLAIMANT, tickets=None, earliest=NOW), NeedsQueue)
    assert isinstance(decide(RECORD, CLAIMANT, tickets=[], earliest=NOW), MustWait)


def test_a_claim_that_has_landed_is_recognised() -> None:
    decision = decide(RECORD, ME, tickets=None, earliest=NOW)

    assert decision == AlreadyHolding(holder=HOLDER)


def test_a_lease_that_is_over_is_never_granted_again() -> None:
    over = drop_expired(RECORD, HOLDER.expires_at)

    decision = decide(over, ME, tickets=None, earliest=HOLDER.expires_at + 1000)

    assert isinstance(decision, AlreadyEnded)


def test_a_lease_that_has_ended_is_told_with_its_end() -> None:
    again = replace(CLAIMANT, lease=ENDED.lease)

    assert decide(RECORD, again, tickets=None, earliest=NOW) == AlreadyEnded(ended=ENDED)
