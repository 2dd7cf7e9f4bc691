"""A step of a job in containers, started as GitHub's runner starts them."""

import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from gcs_ci_lock.system.clock import SystemClock
from tests.support.docker import IMAGE, docker
from tests.support.runner import Step

SOCKET = Path("/var/run/docker.sock")
# Six hexadecimal digits, as a runner has them: this run's own, for the engine may have others.
RUNNER_LABEL = uuid4().hex[:6]
# The runner hands these on to the container's own paths.
_WORKFLOW, _COMMANDS = "/github/workflow", "/github/file_commands"


@dataclass
class ContainerStep(Step):
    """Each stage is a new container; they share the runner's folders, as `Step` has them."""

    socket: Path | None = SOCKET
    container: str = field(default_factory=lambda: f"step-{uuid4().hex[:12]}")

    def environment(self, stage: str) -> dict[str, str]:
        environ = super().environment(stage)
        del environ["PATH"], environ["DOCKER_HOST"]
        commands = {
            key: f"{_COMMANDS}/{Path(environ[key]).name}"
            for key in ("GITHUB_OUTPUT", "GITHUB_STATE", "GITHUB_STEP_SUMMARY")
        }
        return {**environ, **commands, "GITHUB_EVENT_PATH": f"{_WORKFLOW}/event.json"}

    def start(self, stage: str) -> "subprocess.Popen[str]":
        environ = self.environment(stage)
        volumes = [(self.folder / "workflow", _WORKFLOW), (self.folder, _COMMANDS)]
        if self.socket is not None:
            volumes.append((self.socket, str(SOCKET)))
        return subprocess.Popen(
            [
                *("docker", "run", "--rm", "--name", f"{self.container}-{stage}"),
                *("--label", RUNNER_LABEL, "--network", "host", "--entrypoint", f"/{stage}"),
                *(word for key in environ for word in ("--env", key)),
                *(word for a, b in volumes for word in ("--volume", f"{a}:{b}")),
                IMAGE,
            ],
            env={**environ, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @property
    def keeper(self) -> str:
        """The name of the keeper's container; the step has acquired."""
        return f"gcs-ci-lock-{self.outputs['lease-id']}"


def keepers() -> list[str]:
    """Return the names of this run's keepers, those that have ended too."""
    ours = ("--filter", f"label={RUNNER_LABEL}", "--filter", "name=gcs-ci-lock-")
    return docker("ps", "--all", *ours, "--format", "{{.Names}}").split()


def gone(container: str, within: float) -> bool:
    """Wait until a container is gone; tell whether it is."""
    clock = SystemClock()
    until = clock.boottime() + within
    while container in keepers():
        if clock.boottime() >= until:
            return False
        clock.sleep(0.1)
    return True
