"""The two stops: one that a signal sets, one that a condition sets."""

import os
import signal
from collections.abc import Iterator

import pytest

from gcs_ci_lock.system.signals import STOP_SIGNALS, SignalStop, StopWhen, is_ignored_hangup
from tests.support.fakes import FakeClock, FakeStop

pytestmark = pytest.mark.example


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    os.close(reading)
    os.close(writing)


@pytest.fixture
def _handlers() -> Iterator[None]:
    """Give back the handlers that the test runner had."""
    before = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_the_constructor_installs_nothing(pipe: tuple[int, int]) -> None:
    before = [signal.getsignal(number) for number in STOP_SIGNALS]

    stop = SignalStop(*pipe)

    assert [signal.getsignal(number) for number in STOP_SIGNALS] == before
    assert not stop.is_set()


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_the_first_signal_sets_it_and_ends_the_wait(pipe: tuple[int, int], number: int) -> None:
    stop = SignalStop(*pipe)

    stop.handle(number)

    assert stop.is_set()
    assert stop.wait(3600.0)
    assert (stop.number, stop.exit_code) == (number, 128 + number)


def test_without_a_signal_a_wait_ends_unset(pipe: tuple[int, int]) -> None:
    stop = SignalStop(*pipe)

    assert not stop.wait(0.0)
    assert not stop.wait(0.001)
    assert stop.number is None
    assert stop.exit_code == 128 + signal.SIGTERM


def test_the_second_signal_ends_the_process_after_the_last_action(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[object] = []
    monkeypatch.setattr(os, "_exit", done.append)
    stop = SignalStop(*pipe, before_exit=lambda: done.append("before"))
    stop.handle(signal.SIGINT)
    assert done == []

    stop.handle(signal.SIGTERM)

    assert done == ["before", 128 + signal.SIGTERM]


def test_a_second_signal_needs_no_last_action(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[object] = []
    monkeypatch.setattr(os, "_exit", done.append)
    stop = SignalStop(*pipe)

    stop.handle(signal.SIGINT)
    stop.handle(signal.SIGINT)

    assert done == [128 + signal.SIGINT]


@pytest.mark.usefixtures("_handlers")
def test_an_installed_one_is_set_by_a_real_signal() -> None:
    stop = SignalStop.installed()

    signal.raise_signal(signal.SIGTERM)

    assert stop.wait(3600.0)
    assert stop.exit_code == 128 + signal.SIGTERM


@pytest.mark.usefixtures("_handlers")
def test_a_hangup_that_nohup_ignores_stays_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

    stop = SignalStop.installed()
    signal.raise_signal(signal.SIGHUP)

    assert not stop.is_set()
    assert is_ignored_hangup(signal.SIGHUP)
    assert not is_ignored_hangup(signal.SIGTERM)


def test_a_condition_sets_a_stop_within_half_a_second() -> None:
    clock, over = FakeClock(), FakeStop(FakeClock())
    stop = StopWhen(FakeStop(clock), over.is_set, clock)
    clock.after(10.0, over.set)

    began = clock.boottime()

    assert not stop.is_set()
    assert stop.wait(60.0)
    assert 10.0 <= clock.boottime() - began <= 10.5


def test_the_other_stop_sets_it_too() -> None:
    clock = FakeClock()
    other = FakeStop(clock)
    stop = StopWhen(other, lambda: False, clock)

    other.set()

    assert stop.is_set()
    assert stop.wait(60.0)


def test_a_wait_for_a_condition_that_stays_away_takes_its_time() -> None:
    clock = FakeClock()
    stop = StopWhen(FakeStop(clock), lambda: False, clock)
    began = clock.boottime()

    assert not stop.wait(1.25)
    assert clock.boottime() - began == 1.25
