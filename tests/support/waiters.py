"""Waiters that tests let queue, vanish and stop."""

from gcs_ci_lock.locking.outcome import Stopped
from tests.support.fakes import Client, World
from tests.support.samples import ALICE


def run_of_job(world: World, name: str) -> Client:
    """Return a client that is a run of alice's job."""
    client = world.client(name)
    client.owner = ALICE
    return client


def queue_and_vanish(client: Client, *, newest: bool = False, seconds: float = 0.5) -> None:
    """Let a client queue for so long, and then vanish; its ticket stays."""
    client.clock.after(seconds, client.stop.set)
    acquisition = client.waiter(newest=newest)
    acquisition._withdraw = lambda: None  # type: ignore[method-assign]  # noqa: SLF001 - it is killed
    assert isinstance(acquisition.run(), Stopped)
    assert client.diary.leases[-1] in [ticket.lease for ticket in client.lock.tickets()]


def stopped_while_waiting(world: World, client: Client) -> Stopped:
    """Return the outcome of a client that waits for a held lock and is stopped after 5 s."""
    world.client("holder", ttl=600).hold()
    world.clock.after(5.0, client.stop.set)
    outcome = client.acquire()
    assert isinstance(outcome, Stopped)
    return outcome
