"""A stand-in for GitLab's API on this machine: one answer to every question about a job."""

import json
from dataclasses import dataclass

from tests.support.fake_ci import Answer, FakeCi


def job_answer(
    status: object, job: object = 991, finished_at: object = "2026-11-23T10:00:00.000Z"
) -> Answer:
    """Return what GitLab says of a job."""
    document = {"id": job, "name": "deploy", "status": status, "finished_at": finished_at}
    return Answer(body=json.dumps(document).encode())


FAILED = job_answer("failed")


@dataclass
class FakeGitLab(FakeCi):
    """Answers every GET with `job`.

    Attributes:
        job: the answer.
    """

    job: Answer = FAILED

    def answer_to(self, path: str) -> Answer:
        return FAILED if path == "/ended" else self.job
