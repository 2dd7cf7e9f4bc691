"""A Docker engine: find ourselves, start a keeper, find one again."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import docker
import pytest
import requests
from docker.errors import APIError

from gcs_ci_lock.keepalive.sidecar.engine import PROGRAM, STEP_LABEL, Engine
from gcs_ci_lock.keepalive.sidecar.errors import SidecarUnavailable
from gcs_ci_lock.keepalive.sidecar.keeper_container import LEASE_LABEL
from gcs_ci_lock.keepalive.sidecar.messages import KeeperStatus
from tests.support.fake_docker import (
    STDERR,
    STDOUT,
    FakeContainers,
    FakeDockerClient,
    FakeDockerContainer,
    frame,
)
from tests.support.fakes import FakeClock
from tests.support.keepalives import OWN_CONTAINER
from tests.support.samples import CANARY, SPEC

pytestmark = pytest.mark.example

EVENT = "/github/workflow/event.json"
# No other checkout that is tested at the same time has it.
MARK = uuid4().hex
KEEPING = KeeperStatus(phase="keeping", beats=1).to_json() + "\n"
REFUSED = APIError("server error", explanation="::error::no space")


def engine_of(client: FakeDockerClient) -> Engine:
    return Engine(cast("docker.DockerClient", client), FakeClock())


def file_of(mark: str) -> Path:
    """Return the file by which a container is known to be ours."""
    return Path("/tmp") / f"gcs-ci-lock-{mark}"  # noqa: S108 - the same folder in every image


def inspected(network: str = "bridge", **more: object) -> dict[str, Any]:
    return {
        "Image": "sha256:1f",
        "Config": {"Labels": {"5f1f6a": "", "team": "x"}},
        "HostConfig": {"NetworkMode": network},
        "Mounts": [
            {"Type": "bind", "Source": "/home/runner/_github_workflow", "Destination": "/github"},
            {
                "Type": "bind",
                "Source": "/home/runner/workflow",
                "Destination": "/github/workflow",
            },
        ],
        **more,
    }


def client_with(**containers: Mapping[str, Any]) -> FakeDockerClient:
    client = FakeDockerClient()
    client.api.inspected = {name: dict(known) for name, known in containers.items()}
    client.api.ours = "ours"
    return client


def starting(*frames: bytes) -> FakeDockerClient:
    new = FakeDockerContainer(frames=[*frames])
    return FakeDockerClient(containers=FakeContainers(new=new))


def test_our_own_container_is_the_one_with_our_file() -> None:
    client = client_with(other=inspected(), ours=inspected("github_network_1"))

    own = engine_of(client).own_container(mark=MARK, event=EVENT)

    assert own.image == "sha256:1f"
    assert own.network == "github_network_1"
    assert own.labels == {"5f1f6a": ""}
    assert own.folder is not None
    assert own.folder["Source"] == "/home/runner/workflow"
    assert client.api.paths == [str(file_of(MARK))] * 2
    assert not file_of(MARK).exists()


def test_a_shared_network_is_followed_to_whoever_has_it() -> None:
    client = client_with(
        ours=inspected("container:service"),
        service=inspected("container:pause"),
        pause=inspected("github_network_1"),
    )

    own = engine_of(client).own_container(mark=MARK, event=EVENT)

    assert own.network == "github_network_1"


def test_no_container_of_ours_is_told_with_what_is_expected() -> None:
    with pytest.raises(SidecarUnavailable, match="expected the engine that the runner"):
        engine_of(client_with(other=inspected())).own_container(mark=MARK, event="")

    assert not file_of(MARK).exists()


def test_a_keeper_gets_its_spec_through_its_standard_input_alone() -> None:
    client = starting(frame(STDOUT, KEEPING))

    keeper = engine_of(client).start(OWN_CONTAINER, SPEC, step="step-1")

    ((image, command, options),) = client.containers.created
    lease = SPEC.lease_ref.lease
    assert (image, command) == ("sha256:1f", PROGRAM)
    assert options["name"] == f"gcs-ci-lock-{lease}"
    assert options["labels"] == {LEASE_LABEL: lease, STEP_LABEL: "step-1"}
    assert options["use_config_proxy"] is False
    assert CANARY not in str(options)
    container = client.containers.new
    assert container.socket.sent == SPEC.to_json().encode() + b"\n"
    assert container.requests[-1] == "start"
    assert keeper.runs


@pytest.mark.fault
@pytest.mark.parametrize(
    ("frames", "problem"),
    [
        ([frame(STDERR, "cannot reach the server\n")], "cannot reach the server"),
        ([], "it printed nothing"),
    ],
)
def test_a_keeper_that_does_not_renew_is_removed(frames: list[bytes], problem: str) -> None:
    client = starting(*frames)

    with pytest.raises(SidecarUnavailable, match=f"does not renew the lease: {problem}"):
        engine_of(client).start(OWN_CONTAINER, SPEC, step="step-1")

    assert "remove force=True" in client.containers.new.requests


@pytest.mark.fault
def test_an_engine_that_creates_nothing_says_why_on_one_line() -> None:
    client = FakeDockerClient(containers=FakeContainers(trouble=REFUSED))

    with pytest.raises(SidecarUnavailable) as refused:
        engine_of(client).start(OWN_CONTAINER, SPEC, step="step-1")

    assert "the Docker engine refused" in str(refused.value)
    assert "no space" in str(refused.value)
    assert "::error::" not in str(refused.value)


@pytest.mark.fault
def test_an_engine_that_fails_after_the_creation_leaves_no_container() -> None:
    client = starting()
    client.containers.new.trouble = requests.ConnectionError("reset")

    with pytest.raises(SidecarUnavailable, match="ConnectionError: reset"):
        engine_of(client).start(OWN_CONTAINER, SPEC, step="step-1")

    assert "remove force=True" in client.containers.new.requests


def test_a_keeper_is_found_by_its_lease() -> None:
    client = FakeDockerClient()
    client.containers.found = [FakeDockerContainer(labels={LEASE_LABEL: "k3v9"})]

    found = engine_of(client).find_keeper("k3v9")

    assert found is not None
    assert found.lease == "k3v9"
    assert client.containers.listed == [{"label": f"{LEASE_LABEL}=k3v9"}]


def test_a_lease_without_a_keeper_has_none() -> None:
    assert engine_of(FakeDockerClient()).find_keeper("k3v9") is None


def test_the_keepers_of_a_step_are_those_that_see_the_event_file_of_this_job() -> None:
    ours = {"Mounts": [{"Source": "/home/runner/workflow"}]}
    others = {"Mounts": [{"Source": "/home/other/workflow"}]}
    client = FakeDockerClient()
    client.containers.found = [
        FakeDockerContainer(labels={LEASE_LABEL: "a"}, attrs=others),
        FakeDockerContainer(labels={LEASE_LABEL: "b"}, attrs=ours),
        FakeDockerContainer(labels={LEASE_LABEL: "c"}),
    ]

    found = engine_of(client).find_keepers_of_step("step-1", OWN_CONTAINER)

    assert [one.lease for one in found] == ["b"]
    assert client.containers.listed == [{"label": f"{STEP_LABEL}=step-1"}]


def test_a_job_without_an_event_file_finds_no_keepers_by_their_step() -> None:
    client = FakeDockerClient()
    home = type(OWN_CONTAINER)(image="x", network="host", labels={}, folder=None)

    assert engine_of(client).find_keepers_of_step("step-1", home) == []
    assert client.containers.listed == []


@pytest.mark.fault
def test_an_engine_that_does_not_answer_is_an_error() -> None:
    client = FakeDockerClient(containers=FakeContainers(trouble=OSError("gone")))

    with pytest.raises(SidecarUnavailable, match="OSError: gone"):
        engine_of(client).find_keeper("k3v9")
