"""A stand-in for GitHub's API on this machine: the job's token, cancelled and other runs."""

import json
from dataclasses import dataclass

from tests.support.fake_ci import Answer, FakeCi


def run_answer(run: object = 8123, attempt: object = 1, **fields: object) -> Answer:
    """Return what GitHub says of the attempt of a run; `status` and `conclusion` are fields."""
    document = {"name": "deploy", "id": run, "run_attempt": attempt, **fields}
    return Answer(body=json.dumps(document).encode())


COMPLETED = run_answer(status="completed", conclusion="failure")


@dataclass
class FakeGitHub(FakeCi):
    """Answers every GET with `status` and notes every POST; answers for runs can be set.

    Attributes:
        status: 200 while the token is good, 401 afterwards.
        run: the answer to every question about the attempt of a run, or None: as to any other.
        rest: the answer to every other question and to every POST, or None: by `status`.
    """

    status: int = 200
    run: Answer | None = None
    rest: Answer | None = None

    @property
    def asked(self) -> int:
        """Return how often a GET came."""
        return len(self.paths)

    @property
    def tokens(self) -> set[str]:
        """Return the Authorization headers that were sent."""
        return {headers.get("authorization", "") for headers in self.headers}

    def answer_to(self, path: str) -> Answer:
        if path == "/completed":
            return COMPLETED
        if self.run is not None and "/actions/runs/" in path:
            return self.run
        return self.rest or Answer(status=self.status)

    def took_post(self, path: str) -> Answer:
        self.posted.append(path)
        return self.rest or Answer(status=202 if self.status == 200 else self.status)
