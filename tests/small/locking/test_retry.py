"""How long a server that does not answer is asked again."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gcs_ci_lock.errors import (
    Denied,
    LockError,
    OutcomeUnknown,
    PreconditionFailed,
    StorageUnreachable,
    StoreError,
    UsageError,
)
from gcs_ci_lock.locking.lease import max_hold_over
from gcs_ci_lock.locking.outcome import Released
from gcs_ci_lock.locking.retry import OutageTimer, release, retry
from gcs_ci_lock.protocol.record import LossReason
from gcs_ci_lock.protocol.transitions import NotHeld
from gcs_ci_lock.storage.memory import Moment
from tests.support.fakes import FakeClock, World
from tests.support.faults import Outage, failing


@pytest.mark.fault
def test_a_release_that_is_never_answered_says_so() -> None:
    world, outage = World(), Outage()
    lease = world.client("a").hold().lease
    post = world.client("post", fault=outage)
    outage.down = True
    began = world.clock.now

    with pytest.raises(StorageUnreachable):
        release(post.lock, lease.id, random=post.random)

    assert 20.0 <= world.clock.now - began <= 28.0


def unanswered(times: int) -> Callable[[], str]:
    """Return an attempt that is not answered so many times."""
    left = times

    def attempt() -> str:
        nonlocal left
        left -= 1
        if left >= 0:
            message = "no answer"
            raise OutcomeUnknown(message)
        return "done"

    return attempt


@pytest.mark.example
@pytest.mark.parametrize(("times", "seconds"), [(0, 0.0), (1, 0.5), (3, 3.5), (6, 15.5)])
def test_an_attempt_is_made_again_after_longer_and_longer_pauses(
    times: int, seconds: float
) -> None:
    world = World()
    client = world.client("a")
    began = world.clock.now

    assert retry(client.lock, client.random, unanswered(times)) == "done"

    assert world.clock.now - began == seconds


@pytest.mark.property
@given(within=st.floats(0, 100), fraction=st.floats(0, 1, exclude_max=True))
def test_a_server_that_stays_silent_is_given_up_after_the_time_and_one_pause(
    within: float, fraction: float
) -> None:
    world = World()
    client = world.client("a")
    client.random.fraction = lambda: max(fraction, 0.01)  # type: ignore[method-assign]
    began = world.clock.now

    with pytest.raises(StorageUnreachable, match="no answer") as unreachable:
        retry(client.lock, client.random, unanswered(10**6), within=within)

    # A float near 1000 has a resolution of a tenth of a picosecond.
    assert within - 1e-9 <= world.clock.now - began <= within + 8.0
    assert isinstance(unreachable.value.__cause__, OutcomeUnknown)


@pytest.mark.example
@pytest.mark.parametrize(
    "error", [Denied("no"), PreconditionFailed("412"), StoreError("400"), UsageError("wrong")]
)
def test_an_answer_is_never_asked_for_again(error: LockError) -> None:
    client = World().client("a")
    attempts: list[int] = []

    def attempt() -> None:
        attempts.append(1)
        raise error

    with pytest.raises(type(error)):
        retry(client.lock, client.random, attempt)

    assert len(attempts) == 1


@pytest.mark.fault
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_release_outlasts_lost_answers_and_notes_the_loss(when: Moment) -> None:
    world = World()
    lease = world.client("a").hold().lease
    post = world.client("post", fault=failing("write", 2, when=when))
    loss = max_hold_over(3600.0)

    result = release(post.lock, lease.id, random=post.random, loss=loss)

    assert isinstance(result, Released)
    assert (result.ended.loss, result.ended.note) == (LossReason.MAX_HOLD, loss.message)
    assert isinstance(release(post.lock, "another", random=post.random), NotHeld)


def outage_timer(budget: float) -> tuple[FakeClock, OutageTimer]:
    client = World().client("a")
    return client.clock, OutageTimer(client.clock, client.random, budget=budget)


def wait_until_given_up(clock: FakeClock, timer: OutageTimer) -> float:
    """Return the seconds after which a server that stays silent is given up."""
    began = clock.now
    trouble = OutcomeUnknown("connection refused")

    def ask_for_ever() -> None:
        while True:
            clock.sleep(timer.next_pause(trouble))

    with pytest.raises(StorageUnreachable, match="connection refused"):
        ask_for_ever()
    return clock.now - began


@pytest.mark.example
@pytest.mark.parametrize(("budget", "seconds"), [(0, 10), (30, 30), (60, 60), (1800, 60)])
def test_a_server_that_never_answered_is_a_wrong_address_within_a_minute(
    budget: float, seconds: float
) -> None:
    assert wait_until_given_up(*outage_timer(budget)) == seconds


@pytest.mark.example
@pytest.mark.parametrize(("budget", "seconds"), [(0, 10), (100, 95), (1800, 1795)])
def test_a_server_that_has_answered_is_waited_for_as_long_as_for_the_lock(
    budget: float, seconds: float
) -> None:
    clock, timer = outage_timer(budget)
    clock.sleep(5.0)
    timer.reset()

    assert wait_until_given_up(clock, timer) == seconds


@pytest.mark.example
def test_a_single_missing_answer_is_asked_for_again_however_late_it_is() -> None:
    clock, timer = outage_timer(0.0)
    timer.reset()
    clock.sleep(1_000.0)

    assert timer.next_pause(OutcomeUnknown("claim?")) == 0.0
    with pytest.raises(StorageUnreachable):
        timer.next_pause(OutcomeUnknown("claim?"))


@pytest.mark.example
def test_an_answer_makes_the_pauses_short_again() -> None:
    _, timer = outage_timer(1_800.0)
    trouble = OutcomeUnknown("503")
    before = [timer.next_pause(trouble) for _ in range(3)]

    timer.reset()

    assert [timer.next_pause(trouble) for _ in range(3)] == before == [0.5, 1.0, 2.0]
