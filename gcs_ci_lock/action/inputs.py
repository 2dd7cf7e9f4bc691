"""The inputs of a step, read once."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeVar, get_args

from gcs_ci_lock.errors import UsageError
from gcs_ci_lock.keepalive.lease_ref import ON_LOST, OnLost
from gcs_ci_lock.locking.request import LockRequest, LockSettings
from gcs_ci_lock.platforms import github
from gcs_ci_lock.platforms.github import GitHubStep
from gcs_ci_lock.platforms.github_job import GitHubJob
from gcs_ci_lock.platforms.verifier import NoVerifier, verifier_of
from gcs_ci_lock.ports import Clock, Verifier
from gcs_ci_lock.protocol.record import Owner
from gcs_ci_lock.protocol.text import printable

Mode = Literal["acquire", "hold", "check", "release"]
OnTimeout = Literal["fail", "skip"]
KeepAliveInput = Literal["auto", "sidecar", "none"]
MODES: Final[tuple[Mode, ...]] = get_args(Mode)
_ON_TIMEOUT: Final[tuple[OnTimeout, ...]] = get_args(OnTimeout)
_KEEP_ALIVE: Final[tuple[KeepAliveInput, ...]] = get_args(KeepAliveInput)
_PROXIES: Final = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")
_Choice = TypeVar("_Choice", bound=str)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionInputs:
    """The inputs of a step with `mode: acquire` or `mode: hold`.

    Attributes:
        step: has the inputs of the lock itself.
        owner: the job.
        endpoint: another storage endpoint than Google's, or "".
        on_timeout: what happens when the lock is not acquired.
        on_lost: what happens when a lease is lost.
        keep_alive: what renews the leases.
        verify_holder: whether to ask the CI system if a holder's job is over.
        job: how to find out that this job is over, and how to cancel its run.
        proxies: the job's variables that name proxies.
    """

    step: GitHubStep
    owner: Owner
    endpoint: str
    on_timeout: OnTimeout
    on_lost: OnLost
    keep_alive: KeepAliveInput
    verify_holder: bool
    job: GitHubJob
    proxies: Mapping[str, str]

    @classmethod
    def of(cls, step: GitHubStep, environ: Mapping[str, str]) -> "ActionInputs":
        """Read the inputs.

        Raises:
            UsageError: an input is invalid.
        """
        return cls(
            step=step,
            owner=replace(github.owner(environ), reason=step.input("reason")),
            endpoint=step.input("endpoint"),
            on_timeout=choice(step, "on-timeout", _ON_TIMEOUT),
            on_lost=choice(step, "on-lost", ON_LOST),
            keep_alive=choice(step, "keep-alive", _KEEP_ALIVE),
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
        """Return the verifier for all locks of the step."""
        if not self.verify_holder:
            return NoVerifier()
        return verifier_of(environ, tokens={github.name: self.job.token}, clock=clock)

    def requests(self, *, renewed: bool) -> tuple[LockRequest, ...]:
        """Return one request per lock, in the order in which to acquire them.

        Args:
            renewed: whether a keeper will renew the leases; otherwise they last 1.5 x max-hold.

        Raises:
            UsageError: an input is wrong; the message names it.
        """
        step = self.step
        settings = LockSettings(
            names=lock_names(step),
            bucket=step.input("bucket"),
            slots=step.input("slots", "1"),
            wait=step.input("wait", "30m"),
            ttl=step.input("ttl", "2m"),
            max_hold=step.input("max-hold", "6h"),
            queue=step.input("queue", "fifo"),
            priority=step.input("priority", "5"),
            sequence=step.input("sequence"),
        )
        return settings.requests(owner=self.owner, renewed=renewed)


def lock_names(step: GitHubStep) -> list[str]:
    """Return the locks that the input `name` names: its lines that are not empty."""
    return [line.strip() for line in step.input("name").splitlines() if line.strip()]


def choice(step: GitHubStep, name: str, choices: tuple[_Choice, ...]) -> _Choice:
    """Return an input that is one of `choices`; the first if it is not set.

    Raises:
        UsageError: it is something else.
    """
    value = step.input(name, choices[0])
    for one in choices:
        if value == one:
            return one
    message = f'input {name} "{printable(value)}" is not valid: expected {" or ".join(choices)}'
    raise UsageError(message)
