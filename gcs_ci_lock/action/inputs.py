"""What a step asks for, read once from its inputs."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from gcs_ci_lock.errors import UsageError
from gcs_ci_lock.keepalive.lease_ref import ON_LOST
from gcs_ci_lock.locking.request import LockRequest, LockSettings
from gcs_ci_lock.platforms.github import GitHubStep, owner
from gcs_ci_lock.platforms.github_job import GitHubJob
from gcs_ci_lock.platforms.verifier import NoVerifier
from gcs_ci_lock.platforms.verifiers import verifier_of
from gcs_ci_lock.ports import Clock, Verifier
from gcs_ci_lock.protocol.record import Owner
from gcs_ci_lock.protocol.text import printable

MODES: Final = ("acquire", "hold", "check", "release")
_PROXIES: Final = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionInputs:
    """The inputs of a step.

    Attributes:
        on_timeout: "fail" or "skip".
        on_lost: "fail", "cancel" or "warn".
        keep_alive: "auto", "sidecar" or "none".
        verify_holder: whether the CI system is asked if a holder's job is over.
        job: how the job's end can be seen.
        proxies: the job's variables that name proxies.
    """

    step: GitHubStep
    owner: Owner
    endpoint: str
    on_timeout: str
    on_lost: str
    keep_alive: str
    verify_holder: bool
    job: GitHubJob
    proxies: Mapping[str, str]

    @classmethod
    def of(cls, step: GitHubStep, environ: Mapping[str, str]) -> "ActionInputs":
        """Read the inputs.

        Raises:
            UsageError: one of those that name a choice names none.
        """
        return cls(
            step=step,
            owner=replace(owner(environ), reason=step.input("reason")),
            endpoint=step.input("endpoint"),
            on_timeout=choice(step, "on-timeout", ("fail", "skip")),
            on_lost=choice(step, "on-lost", ON_LOST),
            keep_alive=choice(step, "keep-alive", ("auto", "sidecar", "none")),
            verify_holder=choice(step, "verify-holder", ("true", "false")) == "true",
            job=GitHubJob(
                event_path=environ.get("GITHUB_EVENT_PATH", ""),
                api_url=environ.get("GITHUB_API_URL", ""),
                repository=environ.get("GITHUB_REPOSITORY", ""),
                run_id=environ.get("GITHUB_RUN_ID", ""),
                token=step.input("github-token"),
            ),
            proxies={k: v for k, v in environ.items() if k.lower() in _PROXIES},
        )

    def verifier(self, environ: Mapping[str, str], clock: Clock) -> Verifier:
        """Return who is asked whether a holder's job is over."""
        if not self.verify_holder:
            return NoVerifier()
        return verifier_of(environ, github_token=self.job.token, clock=clock)

    def requests(self, *, kept: bool) -> tuple[LockRequest, ...]:
        """Return what is asked of each lock, in the order in which they are to be taken.

        Args:
            kept: whether keepers will renew the leases; else they last 1.5 times max-hold.

        Raises:
            UsageError: an input is wrong; the message names it.
        """
        step = self.step
        wanted = LockSettings(
            names=[line.strip() for line in step.input("name").splitlines() if line.strip()],
            bucket=step.input("bucket"),
            slots=step.input("slots", "1"),
            wait=step.input("wait", "30m"),
            ttl=step.input("ttl", "2m"),
            max_hold=step.input("max-hold", "6h"),
            queue=step.input("queue", "fifo"),
            priority=step.input("priority", "5"),
            sequence=step.input("sequence"),
        )
        return wanted.requests(owner=self.owner, kept=kept)


def choice(step: GitHubStep, name: str, choices: tuple[str, ...]) -> str:
    """Return an input that is one of several words; the first where it is not set.

    Raises:
        UsageError: it is another word.
    """
    value = step.input(name, choices[0])
    if value not in choices:
        message = f'input {name} "{printable(value)}" is not valid: expected {" or ".join(choices)}'
        raise UsageError(message)
    return value
