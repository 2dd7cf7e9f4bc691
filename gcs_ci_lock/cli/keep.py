"""What runs in the sidecar: keep one lease until its job is over."""

import os
import sys
from pathlib import Path

from gcs_ci_lock.errors import LeaseLost, LockError
from gcs_ci_lock.keepalive.adopted import keep_handed
from gcs_ci_lock.keepalive.job_end import JobEnd
from gcs_ci_lock.keepalive.keeper import Keeper
from gcs_ci_lock.keepalive.sidecar.messages import Charge, News
from gcs_ci_lock.locking.lease import TOLD_TO_STOP, Lost
from gcs_ci_lock.platforms.github_api import GitHubApi
from gcs_ci_lock.report.messages import lease_lost, released_line
from gcs_ci_lock.system.clock import SignalStop, SystemClock
from gcs_ci_lock.system.console import say, write_line
from gcs_ci_lock.system.private_file import MAX_BYTES
from gcs_ci_lock.system.signals import WantedStop
from gcs_ci_lock.wiring import open_handed


def keep_beside() -> int:
    """Keep the lease that standard input tells; return the exit code.

    Standard output has the news, one line of JSON each; standard error has lines for people.
    """
    stop = SignalStop()
    try:
        charge = Charge.decode(sys.stdin.read(MAX_BYTES), source="standard input")
        # Where the libraries look for them; the container itself has none.
        os.environ.update(charge.proxies)
        return _Keeping(charge, stop).run()
    except LockError as error:
        say(str(error))
        _tell(News(phase="failed", reason=str(error)))
        return error.exit_code


class _Keeping:
    """One keeper in a container of its own."""

    def __init__(self, charge: Charge, stop: SignalStop) -> None:
        self._charge = charge
        self._clock = SystemClock()
        self._stop = stop
        event = charge.job.event_path
        self._end = JobEnd(Path(event) if event else None)
        self._wanted = WantedStop(stop, lambda: not self._end.over(), self._clock)
        self._keeper: Keeper | None = None
        self._phase = ""

    def run(self) -> int:
        charge, handover = self._charge, self._charge.handover
        if charge.job.token and charge.job.api_url:
            self._end.ask_again_and_again(GitHubApi(charge.job).token_word)
        connection, lock = open_handed(handover, environ=os.environ, pinned=charge.pinned)
        result = keep_handed(
            lock,
            handover,
            self._wanted,
            chance=connection.chance,
            at_work=self._at_work,
            tried=self._tried,
            at_once=True,
            note=lambda: self._end.over() or TOLD_TO_STOP,
        )
        if isinstance(result, Lost):
            return self._lost(result)
        why = result.ended.note or "the step's end"
        say(f"{released_line(handover.name, handover.token)}: {why}")
        self._tell("released", why)
        return 0

    def _at_work(self, keeper: Keeper) -> None:
        self._keeper = keeper

    def _tried(self, keeper: Keeper) -> None:
        """Tell when renewing begins, fails and works again; not every beat."""
        phase = "missing" if keeper.trouble else "keeping"
        if phase == self._phase:
            return
        self._phase = phase
        name = self._charge.handover.name
        if phase == "missing":
            say(f'Lock "{name}" could not be renewed: {keeper.trouble}; trying again')
        else:
            say(f'Keeping lock "{name}": fencing token {keeper.tenure.token}')
        self._tell(phase, keeper.trouble)

    def _lost(self, lost: Lost) -> int:
        handover = self._charge.handover
        say(str(lease_lost(handover.name, lost)))
        self._tell("lost", lost.reason)
        if handover.on_lost == "cancel":
            self._cancel()
        # The reason is to be heard by the job's later steps; for longer than max-hold nobody asks.
        began = self._keeper.tenure.sent_at if self._keeper else self._clock.boot()
        until = began + handover.max_hold_s
        while not lost.spent and (left := until - self._clock.boot()) > 0:
            if self._wanted.wait(left):
                break
        return LeaseLost.exit_code

    def _cancel(self) -> None:
        try:
            GitHubApi(self._charge.job).cancel_run()
        except LockError as error:
            say(str(error))
        else:
            say("The run is being cancelled")

    def _tell(self, phase: str, reason: str) -> None:
        keeper = self._keeper
        beats, missed = (keeper.beats, keeper.missed) if keeper else (0, 0)
        _tell(News(phase=phase, beats=beats, missed=missed, reason=reason))


def _tell(news: News) -> None:
    write_line(sys.stdout, news.encoded())
