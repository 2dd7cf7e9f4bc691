"""The storm's judge: it finds what is wrong, and excuses what was frozen."""

from collections.abc import Iterable

import pytest

from tests.chaos.proxy import Rates
from tests.chaos.resource import HEARTBEAT, PAUSE, REACTION, Note, Verdict, judge

pytestmark = pytest.mark.example


def stay(run: str, since: float, until: float, *, token: int, refused: bool = False) -> list[Note]:
    """Return what a run notes that works inside without a pause."""
    beats = int((until - since) / HEARTBEAT)
    moments = [*(since + HEARTBEAT * n for n in range(beats)), until]
    events = ["enter", *["beat"] * (len(moments) - 2), "leave"]
    return [
        Note(run=run, event=event, at=at, token=token, refused=refused)
        for event, at in zip(events, moments, strict=True)
    ]


def told(run: str, event: str, at: float) -> Note:
    return Note(run=run, event=event, at=at)


def judged(*parts: Iterable[Note], slots: int = 1) -> Verdict:
    notes = sorted((note for part in parts for note in part), key=lambda note: note.at)
    return judge(notes, slots=slots)


def test_nothing_is_judged_as_good() -> None:
    assert judge([], slots=1) == Verdict(grants=0, overlaps=0, falling=0, refused=0, most=0)


def test_turns_with_rising_tokens_are_good() -> None:
    verdict = judged(stay("a", 0, 2, token=1), stay("b", 2.01, 3, token=2))

    assert verdict == Verdict(grants=2, overlaps=0, falling=0, refused=0, most=1)


def test_two_whose_heartbeats_interleave_overlap() -> None:
    verdict = judged(stay("a", 0, 2, token=1), stay("b", 1, 3, token=2))

    assert (verdict.overlaps, verdict.most) == (1, 2)


def test_one_inside_another_overlaps_also_if_it_is_killed_at_once() -> None:
    entered = Note(run="b", event="enter", at=1.01, token=2)

    assert judged(stay("a", 0, 2, token=1), [entered]).overlaps == 1


def test_accesses_that_the_fence_refuses_overlap_all_the_same() -> None:
    before = stay("a", 0, 1, token=1)[:-1]
    after = stay("a", 1.01, 2, token=1, refused=True)[1:]

    verdict = judged(before, stay("b", 1, 3, token=2), after)

    assert verdict.overlaps == 1
    assert verdict.refused == len(after)


def test_as_many_as_there_are_slots_do_not_overlap() -> None:
    three = [stay(name, n / 10, 2, token=n + 1) for n, name in enumerate("abc")]

    assert judged(*three, slots=3).overlaps == 0
    assert judged(*three, slots=3).most == 3


def test_one_more_than_there_are_slots_overlaps() -> None:
    four = [stay(name, n / 10, 2, token=n + 1) for n, name in enumerate("abcd")]

    assert judged(*four, slots=3).overlaps == 1


def test_one_that_is_killed_is_inside_until_its_last_heartbeat() -> None:
    killed = stay("a", 0, 5, token=1)[:20]

    assert judged(killed, stay("b", 30, 31, token=2)).overlaps == 0


def test_one_that_is_frozen_is_not_inside_meanwhile() -> None:
    before = stay("a", 0, 1, token=1)[:-1]
    woken = [Note(run="a", event="beat", at=40.0, token=1, refused=True)]

    verdict = judged(before, stay("b", 31, 41, token=2), woken)

    assert (verdict.overlaps, verdict.refused) == (0, 1)


def test_one_that_works_on_after_it_was_frozen_overlaps_if_its_lock_does_not_end_it() -> None:
    before = stay("a", 0, 1, token=1)[:-1]
    woken = stay("a", 40, 40 + REACTION + 1, token=1, refused=True)[1:]

    assert judged(before, stay("b", 31, 50, token=2), woken).overlaps == 1


def test_one_that_goes_on_in_time_after_it_was_frozen_does_not_overlap() -> None:
    before = stay("a", 0, 1, token=1)[:-1]
    woken = stay("a", 10, 20, token=1)[1:]

    assert judged(before, woken, stay("b", 21, 22, token=2)).overlaps == 0


def test_one_that_was_frozen_before_it_entered_has_the_same_time_to_be_ended() -> None:
    frozen = [told("a", "stop", 1), told("a", "continue", 40)]
    late = stay("a", 40.2, 40.5, token=1, refused=True)

    assert judged(frozen, stay("b", 31, 50, token=2), late).overlaps == 0


def test_one_that_was_frozen_for_a_moment_has_no_excuse() -> None:
    frozen = [told("a", "stop", 1), told("a", "continue", 1 + PAUSE / 2)]

    assert judged(frozen, stay("a", 2, 3, token=1), stay("b", 2.5, 4, token=2)).overlaps == 1


def test_a_token_below_one_that_was_seen_before_its_run_began_falls() -> None:
    first = [told("a", "start", 0), *stay("a", 1, 2, token=5)]

    assert judged(first, [told("b", "start", 3)], stay("b", 4, 5, token=4)).falling == 1
    assert judged(first, [told("b", "start", 3)], stay("b", 4, 5, token=5)).falling == 1
    assert judged(first, [told("b", "start", 3)], stay("b", 4, 5, token=6)).falling == 0


def test_those_who_asked_together_may_enter_in_any_order() -> None:
    asked = [told("a", "start", 0), told("b", "start", 0)]

    assert judged(asked, stay("b", 1, 2, token=2), stay("a", 1.5, 3, token=1), slots=3).falling == 0


def test_a_token_that_two_have_falls() -> None:
    asked = [told("a", "start", 0), told("b", "start", 0)]

    assert judged(asked, stay("b", 1, 2, token=2), stay("a", 3, 4, token=2)).falling == 1


def test_chance_chooses_each_fault_at_its_rate() -> None:
    rates = Rates(**dict.fromkeys(Rates.__slots__, 0.0) | {"late": 0.25, "busy": 0.25})

    chosen = [rates.chosen(n / 100) for n in range(100)]

    assert [chosen.count(name) for name in ("late", "busy", "")] == [25, 25, 50]
