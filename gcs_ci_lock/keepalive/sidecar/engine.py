"""A Docker engine: find our own container in it, start a keeper, find a keeper again."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, cast

import docker
from docker.errors import APIError

from gcs_ci_lock.keepalive.sidecar.errors import ENGINE_ERRORS, SidecarUnavailable, describe
from gcs_ci_lock.keepalive.sidecar.keeper_container import (
    LEASE_LABEL,
    AttachedStreams,
    KeeperContainer,
)
from gcs_ci_lock.keepalive.sidecar.messages import KeeperSpec
from gcs_ci_lock.keepalive.sidecar.own_container import (
    OwnContainer,
    container_options,
    mount_of,
    runner_labels,
)
from gcs_ci_lock.ports import Clock

IMAGE_LABEL: Final = "gcs-ci-lock.image"
STEP_LABEL: Final = "gcs-ci-lock.step"
PROGRAM: Final = ["/usr/local/bin/gcs-ci-lock", "keep-sidecar"]
REQUEST_TIMEOUT = 20
START_WITHIN = 30.0
_MAX_HOPS = 3
_SOCKET = "unix:///var/run/docker.sock"


class Engine:
    """A Docker engine, or a server with its API.

    Args:
        client: must be connected.
        clock: its boot time counts.
    """

    def __init__(self, client: docker.DockerClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock

    def own_container(self, *, mark: str, event: str) -> OwnContainer:
        """Find our own container.

        A file that only we have identifies it. Neither the hostname nor /proc do so if the
        container shares another one's network.

        Args:
            mark: a name that no file of another container has.
            event: the path of the runner's event file, or "".

        Raises:
            SidecarUnavailable: it is not among the engine's containers.
        """
        path = Path("/tmp") / f"gcs-ci-lock-{mark}"  # noqa: S108 - the name is random
        try:
            path.touch(mode=0o600, exist_ok=False)
            try:
                own = self._container_with(path)
            finally:
                path.unlink(missing_ok=True)
            return OwnContainer(
                image=own["Image"],
                network=self._network_of(own),
                labels=runner_labels(own["Config"].get("Labels") or {}),
                folder=mount_of(own.get("Mounts") or [], event),
            )
        except ENGINE_ERRORS as error:
            raise SidecarUnavailable(describe(error)) from None

    def start(self, own: OwnContainer, spec: KeeperSpec, *, step: str) -> KeeperContainer:
        """Start a keeper next to our own container, and wait for its first acknowledged renewal.

        Args:
            own: our own container.
            spec: sent through the keeper's standard input; it must be visible nowhere else.
            step: by which the post step finds the keeper again.

        Raises:
            SidecarUnavailable: the keeper could not be started or does not renew; it was removed.
        """
        lease = spec.lease_ref.lease
        labels = {**own.labels, LEASE_LABEL: lease, STEP_LABEL: step}
        try:
            container = self._client.containers.create(
                own.image,
                PROGRAM,
                name=f"gcs-ci-lock-{lease}",
                labels=labels,
                # The proxies of a client configuration can contain passwords.
                use_config_proxy=False,
                **container_options(own),
            )
        except ENGINE_ERRORS as error:
            raise SidecarUnavailable(describe(error)) from None
        keeper = KeeperContainer(container, self._clock)
        try:
            streams = AttachedStreams(container)
            container.start()
            streams.send(spec.to_json() + "\n")
            problem = streams.wait_for_first_status(START_WITHIN)
        except ENGINE_ERRORS as error:
            problem = describe(error)
        if problem:
            keeper.remove()
            message = f"the keeper's container does not renew the lease: {problem}"
            raise SidecarUnavailable(message)
        return keeper

    def find_keeper(self, lease: str) -> KeeperContainer | None:
        """Return the keeper of a lease, even one that was created but never started; or None.

        Raises:
            SidecarUnavailable: the engine does not answer.
        """
        return next(iter(self._keepers(LEASE_LABEL, lease, lambda _: True)), None)

    def find_keepers_of_step(self, step: str, own: OwnContainer) -> list[KeeperContainer]:
        """Return the keepers that a step of this job has started.

        Args:
            step: as given to `start`.
            own: two jobs on one engine have different event files.

        Raises:
            SidecarUnavailable: the engine does not answer.
        """
        if own.folder is None:
            return []
        source = own.folder["Source"]
        return self._keepers(STEP_LABEL, step, lambda mounts: source in mounts)

    def _keepers(
        self, label: str, value: str, fits: Callable[[list[str]], bool]
    ) -> list[KeeperContainer]:
        try:
            found = self._client.containers.list(all=True, filters={"label": f"{label}={value}"})
        except ENGINE_ERRORS as error:
            raise SidecarUnavailable(describe(error)) from None
        ours = [one for one in found if fits([m["Source"] for m in one.attrs["Mounts"]])]
        return [KeeperContainer(one, self._clock) for one in ours]

    def _container_with(self, path: Path) -> Mapping[str, Any]:
        api = self._client.api
        for summary in api.containers(filters={"label": IMAGE_LABEL}):
            try:
                stream, _ = api.get_archive(summary["Id"], str(path))
            except APIError:
                # It is another one, or has just ended.
                continue
            stream.close()
            return cast("Mapping[str, Any]", api.inspect_container(summary["Id"]))
        message = (
            "none of the engine's containers is this one: expected the engine that the runner "
            "itself uses"
        )
        raise SidecarUnavailable(message)

    def _network_of(self, own: Mapping[str, Any]) -> str:
        mode = str(own["HostConfig"]["NetworkMode"])
        for _ in range(_MAX_HOPS):
            kind, _, other = mode.partition(":")
            if kind != "container":
                break
            # The other container, and its network, may end before the keeper does.
            mode = str(self._client.api.inspect_container(other)["HostConfig"]["NetworkMode"])
        return mode


def connect(environ: Mapping[str, str], clock: Clock) -> Engine:
    """Return the engine whose socket the runner gives to us.

    Raises:
        SidecarUnavailable: there is no engine, or it refuses.
    """
    where = environ.get("DOCKER_HOST", "") or _SOCKET
    path = Path(where.removeprefix("unix://"))
    if where.startswith("unix://") and path.is_dir():
        message = (
            f"{path} is a directory: expected the engine's socket. Where the engine listens "
            "elsewhere (rootless), let the runner mount its socket there, or set DOCKER_HOST"
        )
        raise SidecarUnavailable(message)
    if where.startswith("unix://") and not path.exists():
        kubernetes = " (Kubernetes mode of the runner has none: use its dind mode)"
        message = (
            f"there is no Docker socket {path}"
            f"{kubernetes if 'KUBERNETES_SERVICE_HOST' in environ else ''}"
        )
        raise SidecarUnavailable(message)
    try:
        client = docker.from_env(
            environment={**environ, "DOCKER_HOST": where}, timeout=REQUEST_TIMEOUT
        )
    except (*ENGINE_ERRORS, ValueError) as error:
        raise SidecarUnavailable(describe(error)) from None
    try:
        client.ping()
    except (*ENGINE_ERRORS, ValueError) as error:
        client.close()
        raise SidecarUnavailable(describe(error)) from None
    return Engine(client, clock)
