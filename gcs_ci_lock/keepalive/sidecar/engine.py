"""A Docker engine: find ourselves in it, start a keeper beside us, find one again."""

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
_MOST_HOPS = 3
_SOCKET = "unix:///var/run/docker.sock"


class Engine:
    """A Docker engine, or one that speaks its API."""

    def __init__(self, client: docker.DockerClient, clock: Clock) -> None:
        """Take a connected client."""
        self._client = client
        self._clock = clock

    def own_container(self, *, mark: str, event: str) -> OwnContainer:
        """Find our own container.

        Neither the hostname nor /proc names it where a container shares another's network. What
        always tells: a file that only we have.

        Args:
            mark: a name that no other container's file has.
            event: the path of the runner's event file, or "".

        Raises:
            NoSidecar: it is not among the engine's containers.
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

    def start(self, home: OwnContainer, spec: KeeperSpec, *, step: str) -> KeeperContainer:
        """Start a keeper beside our own container, and wait for its first acknowledged renewal.

        Args:
            home: our own container.
            spec: goes through the keeper's standard input, and is to be seen nowhere.
            step: by which the post step finds the keeper again.

        Raises:
            NoSidecar: it could not be started, or does not renew; it is gone again then.
        """
        lease = spec.lease_ref.lease
        labels = {**home.labels, LEASE_LABEL: lease, STEP_LABEL: step}
        try:
            container = self._client.containers.create(
                home.image,
                PROGRAM,
                name=f"gcs-ci-lock-{lease}",
                labels=labels,
                # A client configuration's proxies can contain passwords, and would be variables.
                use_config_proxy=False,
                **container_options(home),
            )
        except ENGINE_ERRORS as error:
            raise SidecarUnavailable(describe(error)) from None
        keeping = KeeperContainer(container, self._clock)
        try:
            said = AttachedStreams(container)
            container.start()
            said.send(spec.to_json() + "\n")
            problem = said.wait_for_first_status(START_WITHIN)
        except ENGINE_ERRORS as error:
            problem = describe(error)
        if problem:
            keeping.remove()
            message = f"the keeper's container does not keep the lease: {problem}"
            raise SidecarUnavailable(message)
        return keeping

    def find_keeper(self, lease: str) -> KeeperContainer | None:
        """Return the keeper of a lease, even one that was made and never started; or None.

        Raises:
            NoSidecar: the engine does not tell.
        """
        return next(iter(self._keepers(LEASE_LABEL, lease, lambda _: True)), None)

    def find_keepers_of_step(self, step: str, home: OwnContainer) -> list[KeeperContainer]:
        """Return the keepers that a step of this very job has started.

        Args:
            step: as given to `start`.
            home: two jobs on one engine have different event files.

        Raises:
            NoSidecar: the engine does not tell.
        """
        if home.folder is None:
            return []
        source = home.folder["Source"]
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
                # Another's, or one that has just ended.
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
        for _ in range(_MOST_HOPS):
            kind, _, other = mode.partition(":")
            if kind != "container":
                break
            # The other one may end before the keeper does, and its network with it.
            mode = str(self._client.api.inspect_container(other)["HostConfig"]["NetworkMode"])
        return mode


def connect(environ: Mapping[str, str], clock: Clock) -> Engine:
    """Return the engine whose socket the runner has given to us.

    Raises:
        NoSidecar: there is none, or it refuses.
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
