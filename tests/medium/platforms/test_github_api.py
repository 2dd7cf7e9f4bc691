"""A job's token and the cancelling of its run, asked of a stand-in for GitHub's API."""

from collections.abc import Iterator

import pytest

from gcs_ci_lock.errors import LockError
from gcs_ci_lock.platforms.github_api import GitHubClient
from gcs_ci_lock.platforms.github_job import TokenState
from gcs_ci_lock.system.clock import SystemClock
from tests.support.fake_ci import Answer
from tests.support.fake_github import FakeGitHub

pytestmark = pytest.mark.fault

TOKEN = "canary-token"
# Far below the time after which an honest answer is given up, and the test's own limit.
SOON = 0.5
DEADLINE = 4.0


@pytest.fixture(autouse=True)
def _no_proxy_between(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    with FakeGitHub() as github:
        yield github


@pytest.fixture
def client(github: FakeGitHub) -> GitHubClient:
    return GitHubClient(api_url=github.url + "/", token=TOKEN)


@pytest.mark.parametrize(
    ("status", "state"),
    [(200, "accepted"), (401, "refused"), (403, "unknown"), (302, "unknown"), (500, "unknown")],
)
def test_only_two_answers_say_something_of_a_token(
    github: FakeGitHub, client: GitHubClient, status: int, state: TokenState
) -> None:
    github.status = status

    assert client.token_state() == state
    assert github.paths == ["/rate_limit"]
    assert github.tokens == {f"Bearer {TOKEN}"}


def test_the_state_of_a_token_needs_no_end_of_the_answer(
    github: FakeGitHub, client: GitHubClient
) -> None:
    github.rest = Answer(manner="drip")

    assert client.token_state() == "accepted"


def test_without_a_server_the_state_of_a_token_is_unknown() -> None:
    with FakeGitHub() as gone:
        pass

    assert GitHubClient(api_url=gone.url, token=TOKEN).token_state() == "unknown"


@pytest.mark.parametrize("status", [202, 409])
def test_a_run_is_cancelled_or_was_so_already(
    github: FakeGitHub, client: GitHubClient, status: int
) -> None:
    github.rest = Answer(status=status)

    client.cancel_run("acme/api", "8123")

    assert github.posted == ["/repos/acme/api/actions/runs/8123/cancel"]
    assert github.tokens == {f"Bearer {TOKEN}"}


def test_a_refusal_to_cancel_is_shown_as_one_short_line(
    github: FakeGitHub, client: GitHubClient
) -> None:
    github.rest = Answer(status=403, body=b"not by\nthis token ::error::" + b"x" * 10_000_000)

    with pytest.raises(LockError, match="could not be cancelled: 403") as refusal:
        client.cancel_run("acme/api", "8123")

    assert "actions: write" in str(refusal.value)
    assert str(refusal.value).isprintable()
    assert len(str(refusal.value)) < 400
    assert TOKEN not in str(refusal.value)


@pytest.mark.parametrize(
    "answer",
    [Answer(manner="hang"), Answer(manner="drip", status=403), Answer(manner="drip-head")],
    ids=["hangs", "drips", "drips its headers"],
)
def test_an_answer_that_does_not_end_holds_nobody_who_cancels(
    github: FakeGitHub, client: GitHubClient, answer: Answer
) -> None:
    github.rest = answer
    clock = SystemClock()
    began = clock.boottime()

    with pytest.raises(LockError, match=r"no answer \(TimeoutError\)"):
        client.cancel_run("acme/api", "8123", within=SOON)

    assert clock.boottime() - began < DEADLINE


@pytest.mark.parametrize("token", ["line\nbreak", "\N{SNOWMAN}"])
def test_a_token_that_cannot_be_sent_cancels_nothing(github: FakeGitHub, token: str) -> None:
    client = GitHubClient(api_url=github.url, token=token)

    with pytest.raises(LockError, match="no answer"):
        client.cancel_run("acme/api", "8123")

    assert client.token_state() == "unknown"
    assert github.headers == []
