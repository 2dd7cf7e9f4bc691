"""Workflows run by act, in a copy of the project, against a storage server on this machine."""

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path
from uuid import uuid4

from tests.support.docker import BASE, ROOT

ACT = ROOT / ".venv" / "bin" / "act"
IDENTITY = ("-c", "user.name=test", "-c", "user.email=test@example.invalid")


def example(name: str, endpoint: str, **inputs: str) -> str:
    """Return an example as far as a machine without GitHub can run it.

    Three things differ: the action is the one in this tree, its storage server is another one, and
    nobody logs in to Google.

    Args:
        name: the file below examples/.
        endpoint: the storage server.
        inputs: more of the action's inputs.
    """
    text = (ROOT / "examples" / name).read_text()
    log_in = re.compile(r"      - uses: google-github-actions/auth@.*\n(?:        .*\n)+")
    more = {"endpoint": endpoint, **{key.replace("_", "-"): v for key, v in inputs.items()}}

    def local(found: re.Match[str]) -> str:
        return found[0] + "".join(f"{found[1]}{key}: {value}\n" for key, value in more.items())

    text = re.sub(r"( +)bucket: acme-locks\n", local, log_in.sub("", text))
    return text.replace("uses: gcs-ci-lock/gcs-ci-lock@v0", "uses: ./")


def deploy_workflow(name: str, endpoint: str, **inputs: str) -> str:
    """Return the workflow of the README, and one step more: outputs reach later steps."""
    workflow = example("deploy.yml", endpoint, **inputs).replace("name: deploy", f"name: {name}", 1)
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

    def replace(self, path: str, text: str) -> None:
        """Write another version of a file."""
        (self.repository / path).write_text(text)

    def start(self, name: str, workflow: str) -> "Run":
        """Start a workflow under a name that no other has: act names its containers after it."""
        name = f"{name}-{uuid4().hex[:8]}"
        workflow = re.sub(r"^name: .*$", f"name: {name}", workflow, count=1, flags=re.MULTILINE)
        path = self.repository / ".github" / "workflows" / f"{name}.yml"
        path.write_text(workflow)
        return Run(self, name, path)


class Run:
    """One run of act."""

    def __init__(self, checkout: Checkout, name: str, workflow: Path) -> None:
        self.name = name
        self.log = checkout.shared.parent / f"{name}.log"
        event = "push" if "\n  push:" in workflow.read_text() else "workflow_dispatch"
        argv = [str(ACT), event, "--workflows", str(workflow), "--rm", "--pull=false"]
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
