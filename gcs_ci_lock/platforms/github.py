"""GitHub Actions: which job this is, and everything that is written for the runner.

Foreign text can never become another command, output, state or variable than intended. Works the
same with act, Gitea and Forgejo.

Source: actions/runner, `ActionCommand.cs` and `FileCommandManager.cs`.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from gcs_ci_lock.ports import Ask, Show
from gcs_ci_lock.protocol.record import Owner
from gcs_ci_lock.protocol.text import printable
from gcs_ci_lock.system.clock import SystemRandom

name = "github"
# act, Gitea and Forgejo set it too.
marker = "GITHUB_ACTIONS"
prefixes: tuple[str, ...] = ("GITHUB_",)
_PUBLIC = ("https://api.github.com", "https://github.com")
_SUMMARY_LIMIT = 1024 * 1024


def detect(environ: Mapping[str, str]) -> bool:
    """Return whether this process belongs to a job of GitHub, or of a server like it."""
    return environ.get(marker) == "true"


def owner(environ: Mapping[str, str]) -> Owner:
    """Return the job that this process belongs to."""
    get = environ.get
    repository, run = get("GITHUB_REPOSITORY", ""), get("GITHUB_RUN_ID", "")
    # Gitea and Forgejo count the attempts of each job, not of the run: those prove nothing.
    attempt = "" if counts_attempts_of_jobs(environ) else get("GITHUB_RUN_ATTEMPT", "")
    server = get("GITHUB_SERVER_URL", "")
    url = f"{server}/{repository}/actions/runs/{run}" if server and repository and run else ""
    if url and attempt not in ("", "1"):
        url += f"/attempts/{attempt}"
    return Owner(
        platform=name,
        repository=repository,
        workflow=get("GITHUB_WORKFLOW", ""),
        job=get("GITHUB_JOB", ""),
        run_id=run,
        attempt=attempt,
        url=url,
        actor=get("GITHUB_ACTOR", ""),
        ref=get("GITHUB_REF", ""),
        commit=get("GITHUB_SHA", ""),
        runner=get("RUNNER_NAME", ""),
    )


def counts_attempts_of_jobs(environ: Mapping[str, str]) -> bool:
    """Return whether this is Gitea or Forgejo, where each job counts its own attempts.

    Source: gitea/act_runner and forgejo/runner, which set these variables.
    """
    return any(environ.get(name) for name in ("GITEA_ACTIONS", "FORGEJO_ACTIONS"))


def log_group(environ: Mapping[str, str], write: Callable[[str], object]) -> Show:
    """Return what prints folded lines under a title."""
    return GitHubStep(environ, write=write, delimiter=SystemRandom().lease_id).group


def verifier(environ: Mapping[str, str], token: str) -> Ask | None:
    """Return what asks whether a run attempt is over; None: that is not possible.

    Args:
        environ: GITHUB_API_URL and GITHUB_SERVER_URL, by default those of github.com; and
            GITHUB_TOKEN.
        token: takes precedence over GITHUB_TOKEN; "" if none was given; secret.
    """
    token = token or environ.get("GITHUB_TOKEN", "")
    api_url, server_url = environ.get("GITHUB_API_URL", ""), environ.get("GITHUB_SERVER_URL", "")
    if not api_url and not server_url:
        api_url, server_url = _PUBLIC
    # With act every run has the number 1.
    if environ.get("ACT") == "true" or counts_attempts_of_jobs(environ):
        return None
    # If only one address is set, the other one could be that of another server.
    if not (token and api_url and server_url):
        return None
    # Imports `requests`, which few commands need.
    from gcs_ci_lock.platforms.github_api import GitHubClient  # noqa: PLC0415

    client = GitHubClient(api_url=api_url, token=token)
    return partial(client.run_completed, server_url=server_url)


class GitHubStep:
    """One step of a job, as the runner sees it.

    Args:
        environ: INPUT_*, STATE_* and GITHUB_*.
        write: prints one line of the log.
        delimiter: returns a new unguessable word at each call.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        *,
        write: Callable[[str], object],
        delimiter: Callable[[], str],
    ) -> None:
        self._environ = environ
        self._write = write
        self._delimiter = delimiter

    def input(self, name: str, default: str = "") -> str:
        """Return an input, trimmed; an empty input counts as not set.

        The runner keeps the dashes of a name, and act sets no defaults.
        """
        key = "INPUT_" + name.replace(" ", "_").upper()
        return self._environ.get(key, "").strip() or default

    def state(self, name: str) -> str | None:
        """Return what the main stage saved; None: nothing, or the runner does not pass it on."""
        return self._environ.get(f"STATE_{name}")

    def save_state(self, name: str, value: str) -> None:
        """Save a value for the post stage; the last one counts."""
        self._file_command("GITHUB_STATE", name, value)

    def set_output(self, name: str, value: str) -> None:
        """Set an output for later steps."""
        self._file_command("GITHUB_OUTPUT", name, value)

    def add_summary(self, markdown: str) -> None:
        """Add to the summary of the run, unless it is too large."""
        if len(markdown.encode(errors="replace")) < _SUMMARY_LIMIT:
            self._append("GITHUB_STEP_SUMMARY", markdown + "\n")

    def log(self, line: str) -> None:
        """Print a line of the log; it is never a command, whatever it contains."""
        self._write(printable(line, limit=1000))

    def notice(self, text: str) -> None:
        """Annotate the run with a notice."""
        self._annotate("notice", text)

    def warning(self, text: str) -> None:
        """Annotate the run with a warning."""
        self._annotate("warning", text)

    def error(self, text: str) -> None:
        """Annotate the run with an error."""
        self._annotate("error", text)

    def group(self, title: str, lines: Sequence[str]) -> None:
        """Print folded lines under a title."""
        self._write(f"::group::{_escaped(printable(title))}")
        for line in lines:
            self.log(line)
        self._write("::endgroup::")

    def mask(self, secret: str) -> None:
        """Mask a secret in the log from now on, each of its lines separately."""
        for line in secret.splitlines():
            if line.strip():
                self._write(f"::add-mask::{_escaped(line)}")

    def _annotate(self, kind: str, text: str) -> None:
        lines = (printable(line, limit=1000) for line in text.splitlines())
        self._write(f"::{kind} title=gcs-ci-lock::{_escaped(chr(10).join(lines))}")

    def _file_command(self, variable: str, name: str, value: str) -> None:
        # A lone surrogate, as of a broken locale, cannot be written as UTF-8.
        clean = value.encode(errors="replace").decode()
        word = self._delimiter()
        while word in clean:
            word = self._delimiter()
        self._append(variable, f"{name}<<{word}\n{clean}\n{word}\n")

    def _append(self, variable: str, text: str) -> None:
        path = self._environ.get(variable)
        if not path:
            # This runner has no file commands.
            return
        with Path(path).open("a", encoding="utf-8", errors="replace", newline="\n") as file:
            file.write(text)


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
