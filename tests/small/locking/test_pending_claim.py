"""A claim whose fate is not certain."""

from dataclasses import replace

import pytest

from gcs_ci_lock.errors import Denied, LockError, OutcomeUnknown, PreconditionFailed
from gcs_ci_lock.locking.pending_claim import PendingClaim
from gcs_ci_lock.locking.record_store import VersionedRecord
from gcs_ci_lock.storage.memory import Moment, Request
from tests.support.fakes import Client, World
from tests.support.faults import nth_write
from tests.support.samples import CLAIMANT


@pytest.mark.example
def test_a_claim_that_landed_after_its_own_give_up_is_given_back_and_waited_for_anew() -> None:
    world = World()
    client = world.client("a")
    state = {"slow": True}

    def slow_answer(request: Request, when: Moment) -> None:
        if request.method == "write" and when == "after" and state["slow"]:
            state["slow"] = False
            world.clock.sleep(client.timing.give_up + 1)
            message = "timed out"
            raise OutcomeUnknown(message)

    client.store._fault = slow_answer  # noqa: SLF001 - the client had to be there first
    acquired = client.hold(wait=600)

    assert client.diary.leases == ["a-1", "a-2"]
    assert acquired.lease.id == "a-2"
    record = client.lock.read().record
    assert record is not None
    assert [(e.lease, e.outcome) for e in record.history] == [("a-1", "released")]


def pending(client: Client) -> tuple[PendingClaim, VersionedRecord]:
    return PendingClaim(client.lock), client.lock.read()


@pytest.mark.example
def test_a_claim_may_land_from_its_submission_until_it_is_accepted() -> None:
    claim, stored = pending(World().client("a"))

    before = claim.may_land
    lease = claim.submit(CLAIMANT, stored)
    submitted = claim.may_land
    accepted = claim.accept(lease)

    assert accepted
    assert (before, submitted, claim.may_land) == (False, True, False)


@pytest.mark.fault
def test_a_claim_without_an_answer_may_land_until_the_record_has_changed_without_it() -> None:
    world = World()
    claim, stored = pending(world.client("a", fault=nth_write(1, "before")))

    with pytest.raises(OutcomeUnknown):
        claim.submit(CLAIMANT, stored)

    assert claim.may_land
    # The generation that it names is still there: it can land at any moment.
    claim.observed_absent(stored)
    assert claim.may_land
    claim.observed_absent(replace(stored, generation=stored.generation + 1))
    assert not claim.may_land


@pytest.mark.example
def test_a_claim_that_is_refused_as_stale_may_have_been_our_own_write() -> None:
    world = World()
    claim, stored = pending(world.client("a"))
    world.client("rival").hold()

    with pytest.raises(PreconditionFailed):
        claim.submit(CLAIMANT, stored)

    assert claim.may_land


@pytest.mark.fault
@pytest.mark.parametrize("stray", [False, True])
def test_a_claim_that_is_denied_never_lands_and_makes_no_earlier_one_certain(
    *, stray: bool
) -> None:
    answers: list[LockError] = [OutcomeUnknown("no answer")] * stray + [Denied("no")]

    def fault(request: Request, when: Moment) -> None:
        if request.method == "write" and when == "before":
            raise answers.pop(0)

    client = World().client("a", fault=fault)
    claim, stored = pending(client)
    if stray:
        with pytest.raises(OutcomeUnknown):
            claim.submit(CLAIMANT, stored)

    with pytest.raises(Denied):
        claim.submit(CLAIMANT, stored)

    assert claim.may_land is stray


@pytest.mark.example
def test_a_claim_that_is_overdue_when_it_is_seen_is_released_and_not_accepted() -> None:
    world = World()
    client = world.client("a")
    claim, stored = pending(client)
    lease = claim.submit(CLAIMANT, stored)
    world.clock.sleep(client.timing.give_up)

    assert not claim.accept(lease)

    assert not claim.may_land
    record = client.lock.read().record
    assert record is not None
    assert [(end.lease, end.outcome) for end in record.history] == [(CLAIMANT.lease, "released")]


@pytest.mark.example
def test_a_claim_that_is_not_wanted_counts_as_one_until_it_is_taken_back() -> None:
    claim, _ = pending(World().client("a"))

    claim.revoke()
    assert claim.may_land

    claim.clear()
    assert not claim.may_land
