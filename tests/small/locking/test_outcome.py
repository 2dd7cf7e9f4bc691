"""How an acquisition ended."""

from dataclasses import replace

import pytest

from gcs_ci_lock.locking.outcome import Acquired, Obsolete
from gcs_ci_lock.protocol.obsolete import Outdated, Superseded
from tests.support.fakes import World

pytestmark = pytest.mark.example


def test_what_was_taken_over_and_who_was_before_is_told() -> None:
    world = World()
    dead = world.client("dead").hold()
    world.clock.sleep(125.0)

    acquired = world.client("a").hold(wait=60)

    assert isinstance(acquired, Acquired)
    assert [ended.lease for ended in acquired.took_over] == [dead.lease.id]
    assert acquired.previous is not None
    assert acquired.previous.owner.actor == "dead"
    assert [e.outcome for e in acquired.record.history] == ["expired"]
    assert acquired.lease.token == dead.lease.token + 1


def test_our_own_end_is_not_the_one_before_us() -> None:
    world = World()
    first = world.client("first")
    first.lock.release(first.hold().lease.id)
    held = world.client("a").hold()
    others = held.record.history
    ours = replace(others[-1], lease=held.lease.id)

    again = replace(held, record=replace(held.record, history=(*others, ours)))
    alone = replace(held, record=replace(held.record, history=(ours,)))

    assert again.previous == others[-1]
    assert alone.previous is None


@pytest.mark.parametrize(
    ("why", "word"),
    [(Outdated(sequence=1, granted=2), "outdated"), (Superseded(by="k3v8"), "superseded")],
)
def test_an_obsolete_run_has_one_word_for_why(why: Outdated | Superseded, word: str) -> None:
    assert Obsolete(waited=1.0, why=why).outcome == word
