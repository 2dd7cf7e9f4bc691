"""GitHub's runner, as far as a step can tell: its parsers, and a step with its files.

The parsers follow actions/runner: `ActionCommand.cs` (TryParseV2, TryParse) and
`FileCommandManager.cs` (EnvFileKeyValuePairs). They take every word for a command, registered or
not: what they do not find, no runner finds.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

ENTRY = "import sys; from gcs_ci_lock.action import run_stage; sys.exit(run_stage(sys.argv[1]))"


@dataclass(frozen=True)
class LogCommand:
    name: str
    properties: dict[str, str]
    data: str


def log_command(line: str) -> LogCommand | None:
    """Return the workflow command in one line of a log, or None."""
    trimmed = line.lstrip()
    if trimmed.startswith("::"):
        end = trimmed.find("::", 2)
        if end >= 0:
            return _command(trimmed[2:end], trimmed[end + 2 :])
    # The old form counts anywhere in a line.
    begin = line.find("##[")
    end = line.find("]", begin) if begin >= 0 else -1
    if begin >= 0 and end >= 0:
        return _command(line[begin + 3 : end], line[end + 1 :])
    return None


def _command(head: str, data: str) -> LogCommand:
    name, _, rest = head.partition(" ")
    pairs = (part.split("=", 1) for part in rest.split(",") if "=" in part)
    return LogCommand(name, {k.strip(): _unescaped(v) for k, v in pairs}, _unescaped(data))


def _unescaped(text: str) -> str:
    for escape, plain in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(escape, plain)
    return text


def log_commands(log: str) -> list[LogCommand]:
    """Return all commands in a log; a carriage return begins a line too, as some readers do."""
    found = (log_command(line) for line in log.replace("\r", "\n").split("\n"))
    return [command for command in found if command is not None]


def file_values(text: str) -> dict[str, str]:
    """Return what a file command sets; raises ValueError as the runner does."""
    values: dict[str, str] = {}
    lines = text.split("\n")
    while lines:
        line = lines.pop(0)
        if not line:
            continue
        equals, heredoc = line.find("="), line.find("<<")
        if equals >= 0 and (heredoc < 0 or equals < heredoc):
            values[line[:equals]] = line[equals + 1 :]
        elif heredoc >= 0:
            name, delimiter = line[:heredoc], line[heredoc + 2 :]
            value = []
            while (line := lines.pop(0)) != delimiter:
                value.append(line)
                if not lines:
                    message = f"no delimiter {delimiter}"
                    raise ValueError(message)
            values[name] = "\n".join(value)
        else:
            message = f"invalid format {line}"
            raise ValueError(message)
    return values


@dataclass
class StageResult:
    """One stage that has ended."""

    exit_code: int
    log: str
    stderr: str
    commands: list[LogCommand]

    def said(self, kind: str) -> str:
        """Return the texts of all annotations of a kind."""
        return "\n".join(c.data for c in self.commands if c.name == kind)


@dataclass
class Step:
    """One step of a job: its folder, its inputs, and the state between its stages."""

    folder: Path
    inputs: Mapping[str, str]
    name: str = "lock"
    hands_state_on: bool = True
    environ: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        workflow = self.folder / "workflow"
        workflow.mkdir(parents=True, exist_ok=True)
        (workflow / "event.json").write_text("{}")

    def file(self, kind: str) -> Path:
        return self.folder / f"{self.name}-{kind}"

    @property
    def outputs(self) -> dict[str, str]:
        return file_values(self._text("output"))

    @property
    def state(self) -> dict[str, str]:
        return file_values(self._text("state"))

    @property
    def summary(self) -> str:
        return self._text("summary")

    def _text(self, kind: str) -> str:
        path = self.file(kind)
        return path.read_text() if path.exists() else ""

    def environment(self, stage: str) -> dict[str, str]:
        """Return what the runner gives to a stage."""
        state = self.state if stage == "entrypoint-post" and self.hands_state_on else {}
        return {
            "PATH": os.environ["PATH"],
            "GITHUB_ACTIONS": "true",
            "GITHUB_ACTION": f"__{self.name}",
            "GITHUB_REPOSITORY": "acme/api",
            "GITHUB_WORKFLOW": "deploy",
            "GITHUB_JOB": "deploy",
            "GITHUB_RUN_ID": "8123",
            "GITHUB_RUN_ATTEMPT": "1",
            "GITHUB_SERVER_URL": "https://github.com",
            "GITHUB_ACTOR": "alice",
            # The engine of this machine is no business of a process outside any container.
            "DOCKER_HOST": f"unix://{self.folder}/no-engine.sock",
            "GITHUB_EVENT_PATH": str(self.folder / "workflow" / "event.json"),
            "GITHUB_OUTPUT": str(self.file("output")),
            "GITHUB_STATE": str(self.file("state")),
            "GITHUB_STEP_SUMMARY": str(self.file("summary")),
            **{f"INPUT_{key.upper()}": value for key, value in self.inputs.items()},
            **{f"STATE_{key}": value for key, value in state.items()},
            **self.environ,
        }

    def start(self, stage: str) -> "subprocess.Popen[str]":
        """Start a stage as a process."""
        return subprocess.Popen(
            [sys.executable, "-c", ENTRY, stage],
            env=self.environment(stage),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, stage: str) -> StageResult:
        """Run a stage to its end."""
        return ended(self.start(stage))

    def main(self) -> StageResult:
        return self.run("entrypoint")

    def post(self) -> StageResult:
        return self.run("entrypoint-post")


def ended(process: "subprocess.Popen[str]", within: float = 60.0) -> StageResult:
    """Wait for a stage."""
    try:
        out, err = process.communicate(timeout=within)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
    return StageResult(process.returncode, out, err, log_commands(out))
