"""What the documents show is what happens: their commands and programs are run."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.bucket import TestBucket

pytestmark = pytest.mark.end_to_end

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "tests" / "README.md"])
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)")


def block_with(language: str, words: str) -> str:
    """Return the one block of the README in a language that holds the words."""
    (found,) = [text for kind, text in BLOCK.findall(README) if kind == language and words in text]
    return str(found)


def run(argv: list[str], folder: Path, **environ: str) -> "subprocess.CompletedProcess[str]":
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        argv,
        cwd=folder,
        env={"PATH": path, "HOME": str(folder), **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_commands_of_the_readme_work_one_after_the_other(
    bucket: TestBucket, tmp_path: Path
) -> None:
    deploy = tmp_path / "deploy.sh"
    deploy.write_text("#!/bin/sh\necho deployed with $GCS_CI_LOCK_TOKEN\n")
    deploy.chmod(0o755)
    script = block_with("sh", "gcs-ci-lock run").replace("=acme-locks", f"={bucket.uri}")

    done = run(["bash", "-eux", "-c", script], tmp_path, GCS_CI_LOCK_ENDPOINT=bucket.endpoint)

    assert done.returncode == 0, done.stderr
    assert done.stdout.count("deployed with") == 3
    record = bucket.record("acme/api/prod")
    assert [end["outcome"] for end in record["history"]] == ["released"] * 3
    assert record["holders"] == []


def test_the_program_of_the_readme_works(bucket: TestBucket, tmp_path: Path) -> None:
    program = block_with("python", "from gcs_ci_lock import Lock").replace(
        'bucket="acme-locks"', f'bucket="{bucket.uri}", endpoint="{bucket.endpoint}"'
    )
    assert bucket.uri in program

    done = run([sys.executable, "-c", f"def deploy(**with_): print(with_)\n{program}"], tmp_path)

    assert done.returncode == 0, done.stderr
    (end,) = bucket.record("acme/api/prod")["history"]
    assert done.stdout == f"{{'fencing_token': {end['token']}}}\n"


def test_the_workflow_to_paste_is_the_example_that_is_run_in_containers() -> None:
    assert block_with("yaml", "jobs:") == (ROOT / "examples" / "deploy.yml").read_text()


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 250


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(document: Path) -> None:
    text = BLOCK.sub("", document.read_text())

    missing = [link for link in LINK.findall(text) if not (document.parent / link).exists()]

    assert missing == []
