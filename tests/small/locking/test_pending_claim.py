"""A claim whose fate is not certain."""

import pytest

from gcs_ci_lock.errors import OutcomeUnknown
from gcs_ci_lock.storage.memory import Moment, Request
from tests.support.fakes import World

pytestmark = pytest.mark.example


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
