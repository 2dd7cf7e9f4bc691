"""What every `keepalive.KeepAlive` promises; `small/` and `medium/` each run it on their own."""

from abc import abstractmethod
from typing import ClassVar

import pytest

from gcs_ci_lock.keepalive import KeepAlive
from gcs_ci_lock.protocol.record import LossReason


class KeepAliveContract:
    """Fill the methods; the lease was just acquired, with a ttl of 2m and a max-hold of 10m."""

    # Whether it can be started again after `pause`.
    restarts: ClassVar[bool] = True

    @pytest.fixture
    @abstractmethod
    def keepalive(self) -> KeepAlive:
        """Return a keep-alive that was not started."""

    @abstractmethod
    def pass_time(self, keepalive: KeepAlive, seconds: float) -> None:
        """Let time pass, in which nothing renews the lease."""

    @abstractmethod
    def renews(self, keepalive: KeepAlive) -> bool:
        """Return whether something renews the lease now."""

    def test_a_new_lease_is_not_lost(self, keepalive: KeepAlive) -> None:
        assert keepalive.lost() is None
        assert not keepalive.is_stuck

    def test_nothing_renews_before_the_start(self, keepalive: KeepAlive) -> None:
        assert not self.renews(keepalive)

    def test_an_end_without_a_start_is_no_error(self, keepalive: KeepAlive) -> None:
        keepalive.pause()
        keepalive.stop()

        assert keepalive.lost() is None
        assert not keepalive.is_stuck

    def test_a_lease_that_nothing_renews_is_lost_and_stays_lost(self, keepalive: KeepAlive) -> None:
        self.pass_time(keepalive, 81.0)

        lost = keepalive.lost()

        assert lost is not None
        assert lost.reason is LossReason.RENEWAL_OVERDUE
        assert keepalive.lost() == lost

    def test_max_hold_counts_before_the_start_too(self, keepalive: KeepAlive) -> None:
        self.pass_time(keepalive, 600.0)

        lost = keepalive.lost()

        assert lost is not None
        assert lost.max_hold_over

    def test_a_lease_that_is_renewed_is_not_lost(self, keepalive: KeepAlive) -> None:
        keepalive.start()

        lost = keepalive.lost()
        keepalive.stop()

        assert lost is None

    def test_nothing_renews_after_the_end(self, keepalive: KeepAlive) -> None:
        keepalive.start()

        keepalive.pause()
        keepalive.stop()
        keepalive.stop()

        assert not self.renews(keepalive)
        assert not keepalive.is_stuck

    def test_it_starts_again_after_a_pause(self, keepalive: KeepAlive) -> None:
        if not self.restarts:
            return
        keepalive.start()
        before = self.renews(keepalive)
        keepalive.pause()

        keepalive.start()
        again = self.renews(keepalive)
        keepalive.stop()

        assert again == before
        assert not self.renews(keepalive)
