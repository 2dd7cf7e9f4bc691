"""What CI is to do, read from its files; the step that requires all jobs is run."""

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any, cast

import pytest
from ruamel.yaml import YAML

pytestmark = pytest.mark.example

ROOT = Path(__file__).parents[2]
WORKFLOW = ROOT / ".github" / "workflows" / "ci.yml"


def load(path: str) -> dict[str, Any]:
    return cast("dict[str, Any]", YAML(typ="safe").load(ROOT / path))


JOBS = load(".github/workflows/ci.yml")["jobs"]
WORKERS = sorted(set(JOBS) - {"ci"})


def test_the_last_job_needs_every_other_and_always_runs() -> None:
    assert sorted(JOBS["ci"]["needs"]) == WORKERS
    assert JOBS["ci"]["if"] == "always()"
    assert all("if" not in JOBS[name] for name in WORKERS)
    assert all("continue-on-error" not in JOBS[name] for name in WORKERS)


@pytest.mark.parametrize(
    ("results", "code"),
    [
        ("success success success", 0),
        ("success failure success", 1),
        ("cancelled success success", 1),
        ("success success skipped", 1),
    ],
)
def test_the_last_job_fails_unless_all_succeeded(results: str, code: int) -> None:
    (step,) = JOBS["ci"]["steps"]

    done = subprocess.run(
        ["bash", "-e", "-c", step["run"]],
        env={"RESULTS": results, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert step["env"] == {"RESULTS": "${{ join(needs.*.result, ' ') }}"}
    assert (done.returncode, done.stdout) == (code, f"results: {results}\n")


def test_every_check_and_every_size_of_test_is_run_and_none_is_skipped() -> None:
    commands = [step["run"] for name in WORKERS for step in JOBS[name]["steps"] if "run" in step]
    made = [command for command in commands if command.startswith("make ")]

    assert sorted(made) == ["make large", "make lint", "make medium", "make small"]
    assert load(".github/workflows/ci.yml")["env"] == {"GCS_CI_LOCK_TESTS_FORBID_SKIPS": "1"}


def test_the_jobs_install_as_root_what_the_tests_would() -> None:
    wanted = re.findall(
        r"^ *(scripts/debian-tools .*) \|\|", (ROOT / "scripts/test").read_text(), re.MULTILINE
    )
    given = {
        step["run"]
        for name in ("tests", "large")
        for step in JOBS[name]["steps"]
        if "debian-tools" in step.get("run", "")
    }

    assert given == {f"sudo {command}" for command in wanted}
    assert len(given) == 1


def test_the_oldest_and_the_newest_python_that_we_name_are_tested() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = re.findall(r":: (3\.\d+)'", str(project["classifiers"]))
    oldest, newest = named[0], named[-1]

    assert JOBS["tests"]["strategy"]["matrix"]["python"] == [oldest, newest]
    assert project["requires-python"] == f">={oldest}"
    assert JOBS["tests"]["strategy"]["fail-fast"] is False
    assert [int(version.partition(".")[2]) for version in named] == list(
        range(int(oldest.partition(".")[2]), int(newest.partition(".")[2]) + 1)
    )


@pytest.mark.parametrize("name", sorted(JOBS))
def test_a_job_has_a_limit_and_may_only_read(name: str) -> None:
    job = JOBS[name]

    assert load(".github/workflows/ci.yml")["permissions"] == {}
    assert job["permissions"] == ({} if name == "ci" else {"contents": "read"})
    assert job["timeout-minutes"] <= 45
    checkouts = [step for step in job["steps"] if "checkout" in step.get("uses", "")]
    assert all(step["with"] == {"persist-credentials": False} for step in checkouts)


def test_an_action_is_pinned_to_one_commit_everywhere_and_says_its_version() -> None:
    files = [WORKFLOW, *ROOT.glob("examples/**/*.yml")]
    used = re.findall(r"uses: (.+)", "\n".join(file.read_text() for file in files))
    foreign = {use for use in used if not use.startswith(("gcs-ci-lock/", "./"))}

    assert len(foreign) >= 3
    assert [
        use for use in foreign if not re.fullmatch(r"\S+@[0-9a-f]{40} # v\d+\.\d+\.\d+", use)
    ] == []
    assert len({use.partition("@")[0] for use in foreign}) == len(foreign)


def test_dependabot_looks_wherever_something_is_pinned() -> None:
    updates = {one["package-ecosystem"]: one for one in load(".github/dependabot.yml")["updates"]}
    examples = {f"/{file.parent.relative_to(ROOT)}" for file in ROOT.glob("examples/**/*.yml")}
    pinned = {
        folder
        for folder in examples
        if any("# v" in file.read_text() for file in (ROOT / folder[1:]).glob("*.yml"))
    }

    assert set(updates["github-actions"]["directories"]) == {"/"} | pinned
    assert list((ROOT / updates["docker"]["directory"][1:]).glob("Dockerfile"))
    assert list((ROOT / updates["pip"]["directory"][1:]).glob("*.txt"))
    assert all(one["cooldown"]["default-days"] >= 7 for one in updates.values())
    assert all(len(one["groups"]) == 1 for one in updates.values())


def test_a_bug_report_asks_for_what_finds_a_bug() -> None:
    fields = {
        field["id"]: field
        for field in load(".github/ISSUE_TEMPLATE/bug.yml")["body"]
        if field["type"] != "markdown"
    }

    assert {"version", "status", "log", "expected"} <= set(fields)
    assert all(field["validations"]["required"] for field in fields.values())
    assert "gcs-ci-lock status NAME --json" in fields["status"]["attributes"]["description"]


def test_paths_that_the_templates_name_exist() -> None:
    template = (ROOT / ".github" / "pull_request_template.md").read_text()
    paths = re.findall(r"\b((?:tests|docs|model)/[\w./]+\w|\w+\.md)\b", template)

    assert len(paths) >= 4
    assert [path for path in paths if not (ROOT / path).exists()] == []
