"""Whether the job is over, as far as its keeper can see."""

import threading
from collections.abc import Callable
from pathlib import Path

from gcs_ci_lock.platforms.github_job import TokenState

# Seconds; three refusals take at most 90 s, slow responses included.
POLL_EVERY = 25.0
MAX_REFUSALS = 3


class JobEnd:
    """Finds out whether the job is over; a job that seems to run may be over nevertheless.

    Args:
        event: a file that the runner deletes when the job is over, or None.
    """

    def __init__(self, event: Path | None) -> None:
        self._event = event
        self._refusals = 0
        self._accepted = False

    @classmethod
    def watching(cls, event_path: str) -> "JobEnd":
        """Return one that watches the runner's event file, if that file exists now.

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
        # A token that was never accepted proves nothing: it may have expired long ago.
        self._accepted = self._accepted or state == "accepted"
        # After the last refusal the lease is being released: a late response changes nothing.
        if self._accepted and self._refusals < MAX_REFUSALS:
            self._refusals = self._refusals + 1 if state == "refused" else 0

    def poll_in_background(self, ask: Callable[[], TokenState]) -> None:
        """Poll GitHub in a thread, so that no renewal waits for a response.

        A response that never ends stops the polling: the end of the job is not noticed this way.

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
