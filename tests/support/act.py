"""Workflows run by act, in a copy of the project, against a storage server on this machine."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

from tests.support.docker import BASE, ROOT

ACT = ROOT / ".venv" / "bin" / "act"
IDENTITY = ("-c", "user.name=test", "-c", "user.email=test@example.invalid")


def deploy_workflow(name: str, endpoint: str) -> str:
    """Return the workflow of the README, as far as a machine without GitHub can run it.

    Three things differ: the action is the one in this tree, its storage server is another one, and
    nobody logs in to Google. And one step is added, which shows that outputs reach later steps.
    """
    workflow = (ROOT / "examples" / "deploy.yml").read_text()
    begin = workflow.index("      - uses: google-github-actions/auth@")
    end = workflow.index("      - uses: gcs-ci-lock/gcs-ci-lock@v0")
    workflow = workflow[:begin] + workflow[end:]
    for old, new in (
        ("name: deploy\n", f"name: {name}\n"),
        ("uses: gcs-ci-lock/gcs-ci-lock@v0", "uses: ./"),
        ("bucket: acme-locks", f"bucket: acme-locks\n          endpoint: {endpoint}"),
    ):
        assert workflow.count(old) == 1, f"examples/deploy.yml: expected {old!r} once"
        workflow = workflow.replace(old, new)
    outputs = ("acquired", "fencing-token", "waited-seconds", "outcome")
    shown = " ".join(f"${{{{ steps.lock.outputs.{output} }}}}" for output in outputs)
    return f"{workflow}      - run: echo {shown} >> /shared/outputs\n"


class Checkout:
    """A repository with the project's files, a deployment and workflows."""

    def __init__(self, folder: Path, *, deploy: str) -> None:
        """Copy what git knows of, and make it a repository of its own.

        Args:
            folder: an empty one.
            deploy: the script ./deploy.sh; it sees /shared.
        """
        self.repository = folder / "repository"
        self.shared = folder / "shared"
        self.cache = folder / "cache"
        self.shared.mkdir(parents=True)
        listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
        names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True)
        for name in filter(None, names.stdout.split("\0")):
            if (ROOT / name).exists():
                target = self.repository / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, target)
        script = self.repository / "deploy.sh"
        script.write_text(deploy)
        script.chmod(0o755)
        for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "x"]):
            subprocess.run(["git", *IDENTITY, *command], cwd=self.repository, check=True)

    def start(self, name: str, workflow: str) -> "Run":
        """Start a workflow; its name must be no other's, for act names containers after it."""
        path = self.repository / ".github" / "workflows" / f"{name}.yml"
        path.write_text(workflow)
        return Run(self, name, path)


class Run:
    """One run of act."""

    def __init__(self, checkout: Checkout, name: str, workflow: Path) -> None:
        self.log = checkout.shared.parent / f"{name}.log"
        argv = [str(ACT), "push", "--workflows", str(workflow), "--rm", "--pull=false"]
        argv += ["--platform", f"ubuntu-latest={BASE}", "--action-offline-mode"]
        argv += ["--no-cache-server", "--container-options", f"-v {checkout.shared}:/shared"]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                argv,
                cwd=checkout.repository,
                env={**os.environ, "XDG_CACHE_HOME": str(checkout.cache)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,
            )

    def cancel(self) -> None:
        """Do as somebody who presses ctrl-c once."""
        os.killpg(self._process.pid, signal.SIGINT)

    def wait(self, within: float = 200.0) -> int:
        return self._process.wait(timeout=within)

    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def end(self) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
