"""One keeper's container: heard, stopped, removed."""

from typing import cast

import pytest
from docker.errors import APIError
from docker.models.containers import Container

from gcs_ci_lock.keepalive.sidecar.keeper_container import (
    LEASE_LABEL,
    MAX_LINES,
    AttachedStreams,
    KeeperContainer,
    KeeperOutput,
)
from gcs_ci_lock.keepalive.sidecar.messages import KeeperStatus
from tests.support.fake_docker import STDERR, STDOUT, FakeDockerContainer, frame
from tests.support.fakes import FakeClock

pytestmark = pytest.mark.example

KEEPING = KeeperStatus(phase="keeping", beats=1)
RELEASED = KeeperStatus(phase="released", beats=7, reason="the step has ended")
REFUSED = APIError("server error", explanation="no")


def line(status: KeeperStatus) -> bytes:
    return status.to_json().encode() + b"\n"


def of(container: FakeDockerContainer, clock: FakeClock | None = None) -> KeeperContainer:
    return KeeperContainer(cast("Container", container), clock or FakeClock())


def attached(*frames: bytes, ends: bool = True) -> tuple[AttachedStreams, FakeDockerContainer]:
    container = FakeDockerContainer(frames=[*frames], ends=ends)
    return AttachedStreams(cast("Container", container)), container


def test_its_lease_is_in_its_label() -> None:
    assert of(FakeDockerContainer(labels={LEASE_LABEL: "k3v9"})).lease == "k3v9"
    assert of(FakeDockerContainer()).lease == ""


@pytest.mark.parametrize(
    ("status", "runs"),
    [
        ("running", True),
        ("paused", True),
        ("restarting", True),
        ("created", False),
        ("exited", False),
        ("dead", False),
    ],
)
def test_a_container_that_may_go_on_runs(status: str, *, runs: bool) -> None:
    assert of(FakeDockerContainer(status=status)).runs == runs


def test_its_last_status_and_its_lines_are_heard() -> None:
    container = FakeDockerContainer(
        out=line(KEEPING) + b"no status\n" + line(RELEASED), err=b"one\n\n::error::two\n\xff\n"
    )

    output = of(container).output()

    assert output.status == RELEASED
    assert len(output.lines) == 3
    assert output.lines[0] == "one"
    assert not any(said.startswith("::") for said in output.lines)


def test_only_its_last_lines_are_kept() -> None:
    container = FakeDockerContainer(err=b"".join(b"%d\n" % n for n in range(MAX_LINES + 1)))

    assert of(container).output().lines[0] == "1"


def test_a_container_that_is_gone_says_nothing() -> None:
    assert of(FakeDockerContainer(trouble=REFUSED)).output() == KeeperOutput()


def test_a_container_that_is_stopped_releases_and_is_heard_to_its_end() -> None:
    container = FakeDockerContainer(out=line(KEEPING))
    container.on_kill = lambda: setattr(container, "out", container.out + line(RELEASED))

    output = of(container).stop()

    assert output.status == RELEASED
    assert container.requests[:3] == ["logs follow=True", "logs follow=True", "kill SIGTERM"]
    assert container.requests[-2:] == ["remove force=True", "reload"]


def test_a_container_that_does_not_run_is_removed_unheard() -> None:
    container = FakeDockerContainer(status="exited", out=line(RELEASED))

    assert of(container).stop() == KeeperOutput()
    assert container.requests == ["remove force=True", "reload"]


def test_an_engine_that_refuses_to_stop_a_container_stops_nobody() -> None:
    container = FakeDockerContainer(trouble=REFUSED)

    output = of(container).stop()

    assert output.status is None
    assert list(output.lines) == []


def test_a_removal_is_waited_for_but_not_for_ever() -> None:
    clock = FakeClock()
    began = clock.now

    of(FakeDockerContainer(gone_after=3), clock).remove()
    soon = clock.now
    of(FakeDockerContainer(gone_after=10**6), clock).remove()

    assert soon - began == pytest.approx(0.15)
    assert clock.now - soon == pytest.approx(5.0, abs=0.1)


def test_what_is_sent_is_its_whole_standard_input() -> None:
    streams, container = attached()

    streams.send("the spec\n")

    assert container.socket.sent == b"the spec\n"
    assert container.socket.closed
    assert container.requests == ["attach ['stderr', 'stdin', 'stdout', 'stream']"]


def test_a_first_renewal_is_waited_for() -> None:
    text = KEEPING.to_json() + "\n"
    streams, _ = attached(
        frame(STDERR, "Renewing\n"), frame(STDOUT, text[:9]), frame(STDOUT, text[9:]), ends=False
    )

    assert streams.wait_for_first_status(30.0) == ""


def test_a_renewal_that_fails_at_first_may_still_come() -> None:
    missing = KeeperStatus(phase="missing", missed=1, reason="no answer")
    streams, _ = attached(frame(STDOUT, missing.to_json() + "\n" + KEEPING.to_json() + "\n"))

    assert streams.wait_for_first_status(30.0) == ""


@pytest.mark.parametrize(
    ("frames", "problem"),
    [
        ([], "it printed nothing"),
        ([frame(STDERR, "one\ntwo\n")], "two"),
        ([frame(STDOUT, KeeperStatus(phase="lost", reason="evicted").to_json())], "evicted"),
        ([frame(STDOUT, KeeperStatus(phase="failed", reason="denied").to_json())], "denied"),
    ],
)
def test_an_end_without_a_renewal_is_told_by_its_last_words(
    frames: list[bytes], problem: str
) -> None:
    streams, _ = attached(*frames)

    assert streams.wait_for_first_status(30.0) == problem


def test_silence_is_a_problem_after_a_while() -> None:
    streams, _ = attached(ends=False)

    assert streams.wait_for_first_status(0.01) == "no renewal within 0.01 s"
