"""What a container beside our own looks like: it can keep a lease, and nothing else."""

from dataclasses import replace

import pytest

from gcs_ci_lock.keepalive.sidecar.own_container import (
    container_options,
    mount_of,
    runner_labels,
)
from tests.support.keepalives import FOLDER, OWN_CONTAINER

pytestmark = pytest.mark.example


def test_a_keeper_may_do_nothing_that_it_does_not_need() -> None:
    options = container_options(OWN_CONTAINER)

    assert options["user"] == "65532:65532"
    assert options["cap_drop"] == ["ALL"]
    assert options["security_opt"] == ["no-new-privileges:true"]
    assert options["read_only"]
    assert options["environment"] == {}
    assert options["network_mode"] == "bridge"
    assert options["mem_limit"] == options["memswap_limit"]
    assert options["pids_limit"] < 100
    (mount,) = options["mounts"]
    assert mount["Source"] == "/home/runner/workflow"
    assert mount["Target"] == "/github/workflow"
    assert mount["ReadOnly"]


def test_a_named_volume_is_mounted_by_its_name() -> None:
    folder = {**FOLDER, "Type": "volume", "Name": "work"}

    (mount,) = container_options(replace(OWN_CONTAINER, folder=folder))["mounts"]

    assert (mount["Source"], mount["Type"]) == ("work", "volume")


def test_without_an_event_file_nothing_is_mounted() -> None:
    assert container_options(replace(OWN_CONTAINER, folder=None))["mounts"] == []


def test_only_the_runners_own_label_is_passed_on() -> None:
    labels = {"5f1f6a": "", "5f1f6b": "x", "5f1f6": "", "5f1f6g": "", "team": "api"}

    assert runner_labels(labels) == {"5f1f6a": ""}


@pytest.mark.parametrize(
    ("event", "destination"),
    [
        ("/github/workflow/event.json", "/github/workflow"),
        ("/github/other.json", "/github"),
        ("/githubs/event.json", None),
        ("", None),
    ],
)
def test_the_mount_of_a_file_is_the_innermost(event: str, destination: str | None) -> None:
    mounts = [{"Destination": "/github"}, FOLDER, {"Destination": "/var"}]

    found = mount_of([*mounts], event)

    assert (found["Destination"] if found else None) == destination
