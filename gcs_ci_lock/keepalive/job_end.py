"""Sees the end of a job from beside it, where nobody tells."""

import threading
from collections.abc import Callable
from pathlib import Path

from gcs_ci_lock.platforms.github_job import TokenState

# Three refusals are seen within 90 s, slow answers included.
POLL_EVERY = 25.0
MOST_REFUSALS = 3


class JobEnd:
    """Tells whether the job is over, as far as that can be seen.

    Not being able to see it says nothing: a job that looks alive may be gone.
    """

    def __init__(self, event: Path | None) -> None:
        """Look at the event file for the first time.

        Args:
            event: a file that the runner deletes when the job is over, or None. One that cannot be
                seen at the beginning is not looked at again.
        """
        self._event = event if event is not None and _is_there(event) else None
        self._refusals = 0
        self._accepted = False

    def why_over(self) -> str:
        """Return why the job is over, for people, or "" if nothing says so."""
        if self._refusals >= MOST_REFUSALS:
            return f"GitHub refused the job's token {self._refusals} times in a row"
        if self._event is not None and not _is_there(self._event):
            return "the runner has removed the job's files"
        return ""

    def token_answered(self, word: TokenState) -> None:
        """Take note of what was said of the job's token just now."""
        # A token that was never good says nothing of the job: it may have expired long before.
        self._accepted = self._accepted or word == "accepted"
        # Afterwards the lease is being released: a late answer does not bring the job back.
        if self._accepted and self._refusals < MOST_REFUSALS:
            self._refusals = self._refusals + 1 if word == "refused" else 0

    def poll_in_background(self, word: Callable[[], TokenState]) -> None:
        """Ask in a thread of its own, so that no renewal waits for the answer.

        An answer that does not end stops the asking: then the end of the job is not seen here.
        """

        def ask() -> None:
            pause = threading.Event()
            while not self.why_over():
                self.token_answered(word())
                pause.wait(POLL_EVERY)

        threading.Thread(target=ask, name="job-end", daemon=True).start()


def _is_there(path: Path) -> bool:
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        # A directory that may not be searched says nothing.
        return True
    return True
