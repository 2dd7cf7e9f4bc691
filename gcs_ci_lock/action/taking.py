"""The main stage: take the lock, and see that somebody keeps its lease alive."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gcs_ci_lock import sidecar
from gcs_ci_lock.action.stepfiles import StepFiles
from gcs_ci_lock.action.telling import (
    set_outputs,
    tell_acquired,
    tell_overtaken,
    tell_timeout,
    tell_unkept,
)
from gcs_ci_lock.action.wish import Wish
from gcs_ci_lock.ci.github import GitHubStep
from gcs_ci_lock.ci.verifying import NoVerifier
from gcs_ci_lock.clock import SignalStop, SystemChance, SystemClock
from gcs_ci_lock.core.charge import Charge
from gcs_ci_lock.core.handover import Handover
from gcs_ci_lock.core.outcome import Acquired, Overtaken, TimedOut
from gcs_ci_lock.core.pinned import Pinned
from gcs_ci_lock.core.request import LockRequest
from gcs_ci_lock.core.timing import spoken
from gcs_ci_lock.errors import LockError, NotAcquired
from gcs_ci_lock.handed import release
from gcs_ci_lock.jobend import JobEnd
from gcs_ci_lock.keeper import Keeper
from gcs_ci_lock.lock import Lock
from gcs_ci_lock.minding import Minding
from gcs_ci_lock.report.lines import lease_lost, released_line
from gcs_ci_lock.report.progress import Progress
from gcs_ci_lock.sidecar import Engine, Home, NoSidecar
from gcs_ci_lock.waiting import Waiter
from gcs_ci_lock.wanted import WantedStop
from gcs_ci_lock.wiring import Connection, connect, pin

INSTEAD = (
    "Let the runner's engine be reached from its containers, or use mode: hold in a background "
    "step."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """An engine that can start containers, and our own place in it."""

    engine: Engine
    home: Home


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A lock that is ours.

    Attributes:
        charge: what a keeper has to be told.
    """

    connection: Connection
    lock: Lock
    request: LockRequest
    acquired: Acquired
    charge: Charge


class Taking:
    """One main stage."""

    def __init__(self, step: GitHubStep, environ: Mapping[str, str], *, hold: bool) -> None:
        """Read the inputs and pin the credentials; no request is made.

        Args:
            step: speaks to the runner.
            environ: the job's variables.
            hold: whether this process itself keeps the lease, until it is told to stop.

        Raises:
            UsageError: an input is wrong.
            Denied: there are no credentials.
        """
        self._clock = SystemClock()
        self._signals = SignalStop()
        self._step = step
        self._environ = environ
        self._hold = hold
        self._files = StepFiles(step, environ)
        # What an earlier job left there is not ours, however this step ends.
        self._files.forget()
        self._wish = wish = Wish.of(step, environ)
        step.mask(wish.job.token)
        # A wrong input is told before anything else is done.
        self._request = wish.request(kept=hold or wish.keep_alive != "none")
        self._pinned: Pinned = pin(
            environ,
            endpoint=wish.endpoint,
            credentials_json=step.input("credentials-json"),
            provider=step.input("workload-identity-provider"),
            service_account=step.input("service-account"),
        )
        for secret in self._pinned.secrets():
            step.mask(secret)
        event = wish.job.event_path
        end = JobEnd(Path(event) if event else None)
        # A container whose job is gone must never claim.
        self._stop = WantedStop(self._signals, lambda: not end.over(), self._clock)

    def run(self) -> int:
        """Take the lock; return the exit code.

        Raises:
            LockError: it could not be acquired; nothing is held then.
        """
        if self._hold:
            held = self._acquire(self._request, "process")
            return held if isinstance(held, int) else self._keep_here(held)
        try:
            beside = self._beside()
            if beside is not None:
                held = self._acquire(self._request, "sidecar")
                return held if isinstance(held, int) else self._keep_beside(held, beside)
            why = ""
        except NoSidecar as refusal:
            if self._wish.keep_alive == "sidecar":
                message = f"keep-alive: sidecar is not possible here: {refusal}. {INSTEAD}"
                raise NoSidecar(message) from None
            why = f"No keeper can be started: {refusal}. {INSTEAD}"
        return self._unkept(why)

    def _beside(self) -> Beside | None:
        """Return where a sidecar can be started, or None if none is wanted."""
        if self._wish.keep_alive == "none":
            return None
        engine = sidecar.connect(self._environ, self._clock)
        mark = SystemChance().lease_id()
        return Beside(engine=engine, home=engine.home(mark=mark, event=self._wish.job.event_path))

    def _acquire(self, request: LockRequest, keeper: str) -> Held | int:
        """Wait for the lock; return it, or the exit code where it is not to be had."""
        bucket = request.paths.location.bucket
        connection = connect(
            bucket,
            endpoint=self._wish.endpoint or None,
            environ=self._environ,
            pinned=self._pinned,
        )
        lock = connection.lock(request.paths, request.timing)
        charge: Charge | None = None

        def asking(lease: str) -> None:
            nonlocal charge
            charge = self._charge(request, lease, keeper)
            self._files.write(charge)

        progress = Progress(self._step.group, clock=self._clock, asking=asking)
        waiter = Waiter(
            lock,
            request,
            chance=connection.chance,
            stop=self._stop,
            observer=progress,
            verifier=NoVerifier(),
        )
        try:
            outcome = waiter.run()
        except LockError:
            set_outputs(self._step, request, {"acquired": "false"})
            self._leave(waiter)
            raise
        if isinstance(outcome, Acquired) and charge is not None:
            granted = charge.handover.granted(outcome.tenure, waited=outcome.waited)
            charge = charge.granted(granted)
            self._files.write(charge)
            return Held(
                connection=connection, lock=lock, request=request, acquired=outcome, charge=charge
            )
        self._leave(waiter)
        if isinstance(outcome, TimedOut):
            skip = self._wish.on_timeout == "skip"
            tell_timeout(self._step, request, outcome, skip=skip)
            return 0 if skip else NotAcquired.exit_code
        if isinstance(outcome, Overtaken):
            skip = self._wish.on_timeout == "skip"
            tell_overtaken(self._step, request, outcome, skip=skip)
            return 0 if skip else NotAcquired.exit_code
        self._step.say(f'Stopped waiting for lock "{request.paths.name}"')
        return self._signals.exit_code

    def _leave(self, waiter: Waiter) -> None:
        # Else post has the last word.
        if not waiter.leaves_something:
            self._files.clear()

    def _charge(self, request: LockRequest, lease: str, keeper: str) -> Charge:
        wish = self._wish
        return Charge(
            handover=Handover.asked(
                request, lease, endpoint=wish.endpoint, keeper=keeper, on_lost=wish.on_lost
            ),
            job=wish.job,
            pinned=self._pinned,
            proxies=wish.proxies,
        )

    def _keep_beside(self, held: Held, beside: Beside) -> int:
        try:
            keeping = beside.engine.start(beside.home, held.charge, step=self._files.step_id)
        except NoSidecar:
            self._give_back(held)
            raise
        if self._stop.is_set():
            # Nobody wants the lock any more.
            keeping.stop()
            self._give_back(held)
            return self._signals.exit_code
        beat = spoken(held.request.timing.beat or 0.0)
        how = f"renewed every {beat} by a sidecar"
        tell_acquired(self._step, held.request, held.acquired, how)
        return 0

    def _unkept(self, why: str) -> int:
        request = self._wish.request(kept=False)
        held = self._acquire(request, "none")
        if isinstance(held, int):
            return held
        valid = spoken(request.timing.give_up)
        tell_acquired(self._step, request, held.acquired, f"valid for {valid} without renewal")
        tell_unkept(self._step, request, why)
        return 0

    def _keep_here(self, held: Held) -> int:
        tenure = held.acquired.tenure
        beat = spoken(held.request.timing.beat or 0.0)
        how = f"renewed every {beat} by this step until it is cancelled"
        tell_acquired(self._step, held.request, held.acquired, how)
        keeper = Keeper(
            held.lock,
            tenure,
            chance=held.connection.chance,
            max_hold=held.request.max_hold,
            began=tenure.sent_at,
        )
        with Minding(keeper) as minding:
            lost = minding.until(self._stop)
        if lost is not None and not lost.spent:
            raise lease_lost(held.request.paths.name, lost)
        if not minding.hangs:
            self._give_back(held)
        if lost is not None:
            raise lease_lost(held.request.paths.name, lost)
        return 0

    def _give_back(self, held: Held) -> None:
        lease, token = held.acquired.tenure.lease, held.acquired.tenure.token
        release(held.lock, lease, chance=held.connection.chance)
        self._files.clear()
        self._step.say(released_line(held.request.paths.name, token))
