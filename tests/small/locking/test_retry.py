"""How long a server that does not answer is asked again."""

import pytest

from gcs_ci_lock.errors import StorageUnreachable
from gcs_ci_lock.locking.retry import release
from tests.support.fakes import World
from tests.support.faults import Outage

pytestmark = pytest.mark.fault


def test_a_release_that_is_never_answered_says_so() -> None:
    world, outage = World(), Outage()
    lease = world.client("a").hold().lease
    post = world.client("post", fault=outage)
    outage.down = True
    began = world.clock.now

    with pytest.raises(StorageUnreachable):
        release(post.lock, lease.id, random=post.random)

    assert 20.0 <= world.clock.now - began <= 28.0
