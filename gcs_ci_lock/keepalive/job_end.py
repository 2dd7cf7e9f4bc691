"""Is the job over? As a keeper beside the job can see it."""

import threading
from collections.abc import Callable
from pathlib import Path

from gcs_ci_lock.platforms.github_job import TokenState

# Seconds; three refusals are seen within 90 s, slow answers included.
POLL_EVERY = 25.0
MAX_REFUSALS = 3


class JobEnd:
    """Knows whether the job is over, as far as that can be seen.

    A job that looks alive may be over all the same.

    Args:
        event: a file that the runner deletes when the job is over, or None.
    """

    def __init__(self, event: Path | None) -> None:
        self._event = event
        self._refusals = 0
        self._accepted = False

    @classmethod
    def watching(cls, event_path: str) -> "JobEnd":
        """Watch the runner's event file; one that does not exist now is not looked at again.

        Args:
            event_path: the file, or "".
        """
        event = Path(event_path) if event_path else None
        return cls(event if event is not None and _is_there(event) else None)

    def why_over(self) -> str:
        """Return why the job is over, for people, or "" if nothing shows it."""
        if self._refusals >= MAX_REFUSALS:
            return f"GitHub refused the job's token {self._refusals} times in a row"
        if self._event is not None and not _is_there(self._event):
            return "the runner has removed the job's files"
        return ""

    def token_answered(self, state: TokenState) -> None:
        """Note how GitHub answered to the job's token just now."""
        # A token that was never accepted shows nothing: it may have expired long before.
        self._accepted = self._accepted or state == "accepted"
        # After that the lease is being released: a late answer does not bring the job back.
        if self._accepted and self._refusals < MAX_REFUSALS:
            self._refusals = self._refusals + 1 if state == "refused" else 0

    def poll_in_background(self, ask: Callable[[], TokenState]) -> None:
        """Ask in a thread of its own, so that no renewal waits for the answer.

        An answer that never ends stops the polling: then the end of the job is not seen this way.

        Args:
            ask: asks GitHub whether it accepts the job's token; may block.
        """

        def poll() -> None:
            pause = threading.Event()
            while not self.why_over():
                self.token_answered(ask())
                pause.wait(POLL_EVERY)

        threading.Thread(target=poll, name="job-end", daemon=True).start()


def _is_there(path: Path) -> bool:
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        # A directory that may not be searched shows nothing.
        return True
    return True
