"""The project's image, and containers of it, by the docker command line."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

ROOT = Path(__file__).parents[2]
BASE = "debian:trixie-slim"
# Another checkout on this machine builds one of its own, maybe at the same time.
IMAGE = f"gcs-ci-lock:test-{sha256(str(ROOT).encode()).hexdigest()[:12]}"


def docker(*arguments: str, within: float = 240.0) -> str:
    """Run a docker command; return what it printed."""
    done = subprocess.run(
        ["docker", *arguments], capture_output=True, text=True, timeout=within, check=False
    )
    assert done.returncode == 0, f"docker {' '.join(arguments)}: {done.stderr or done.stdout}"
    return done.stdout


def build_image() -> None:
    """Build the image as the runner does, without BuildKit."""
    environ = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
    done = subprocess.run(
        ["docker", "build", "--tag", IMAGE, str(ROOT)],
        env={**environ, "DOCKER_BUILDKIT": "0"},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def inspect(what: str) -> dict[str, Any]:
    """Return what the engine knows of an image or a container."""
    return cast("dict[str, Any]", json.loads(docker("inspect", what))[0])


def run_argv(
    command: Sequence[str],
    *,
    name: str,
    environ: Mapping[str, str],
    mounts: Mapping[Path, str],
) -> list[str]:
    """Return the docker command that runs something in the image, on this machine's network."""
    variables = [word for item in environ.items() for word in ("--env", "=".join(item))]
    volumes = [word for a, b in mounts.items() for word in ("--volume", f"{a}:{b}")]
    options = ["--rm", "--name", name, "--network", "host", *variables, *volumes]
    return ["docker", "run", *options, IMAGE, *command]
