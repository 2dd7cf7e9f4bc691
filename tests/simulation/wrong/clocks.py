"""Wrong versions of clocks, deadlines and expiry."""

from tests.simulation.planted import wrong

CLIENT = "gcs_ci_lock/locking/client.py"
CLOCK = "gcs_ci_lock/system/clock.py"
SERVER_TIME = "gcs_ci_lock/protocol/server_time.py"
TIMING = "gcs_ci_lock/protocol/timing.py"
LEASE = "gcs_ci_lock/locking/lease.py"
TRANSITIONS = "gcs_ci_lock/protocol/transitions.py"
CLIENT_TESTS = "tests/small/locking/test_client.py"
TRANSITION_TESTS = "tests/small/protocol/test_transitions.py"

CLOCKS = (
    wrong(
        "the machine's own clock replaces the server's",
        "no foreign release",
        (
            CLOCK,
            "now = self._known.at(boot)",
            "own = 1_795_422_000.0 + boot\n        now = Interval(earliest=own, latest=own + 1.0)",
        ),
    ),
    wrong(
        "the clock stops while the machine is suspended",
        "exclusion",
        (
            "tests/simulation/world.py",
            "job.machine.frozen_until = self.scheduler.now + seconds",
            (
                "job.machine.frozen_until = self.scheduler.now + seconds\n"
                "            job.machine.offset -= seconds * job.machine.rate"
            ),
        ),
    ),
    wrong(
        "no deadline on the holder's own clock",
        "no renewal after give-up",
        (LEASE, "return boot < self.deadline and latest", "return latest"),
    ),
    wrong(
        "the deadline counts from the response",
        f"{CLIENT_TESTS}::test_deadlines_count_from_the_send_and_not_from_the_answer",
        (
            CLIENT,
            "return self._lease_state(written.holder, boot)",
            "return self._lease_state(written.holder, self.clock.boottime())",
        ),
    ),
    wrong(
        "the deadline is that of the last attempt",
        f"{CLIENT_TESTS}::test_the_deadline_is_that_of_the_attempt_in_the_record",
        (CLIENT, "self._sent.get(holder.revision)", "max(self._sent.values(), default=None)"),
    ),
    wrong(
        "a holder gives up only after the whole ttl",
        "no renewal after give-up",
        (TIMING, "MAX_GIVE_UP_SHARE = 2 / 3", "MAX_GIVE_UP_SHARE = 1.0"),
    ),
    wrong(
        "a lost lease is renewed",
        f"{CLIENT_TESTS}::test_a_lost_lease_is_never_renewed_though_the_record_still_names_it",
        (CLIENT, "if not lease.believes_held(boot, now.latest):", "if boot < 0:"),
    ),
    wrong(
        "a claim is stamped with the earliest time",
        f"{TRANSITION_TESTS}::test_a_grant_stamps_the_latest_time_and_the_next_token",
        (TRANSITIONS, "expires_at=now.latest + claimant", "expires_at=now.earliest + claimant"),
    ),
    wrong(
        "a stamp does not allow for drift",
        f"{CLIENT_TESTS}"
        "::test_a_holder_with_a_slow_clock_and_stale_dates_stops_before_a_rival_enters",
        (SERVER_TIME, "(boot - s.sent) * MAX_RATE_RATIO", "(boot - s.sent)"),
    ),
    wrong(
        "holders are dropped before they expire",
        "no foreign release",
        (TRANSITIONS, "if earliest >= h.expires_at]", "if earliest >= h.expires_at - h.ttl / 2]"),
    ),
    wrong(
        "a slot counts as free from when its expiry was noticed",
        f"{TRANSITION_TESTS}::test_room_appeared_when_the_lease_ended_and_not_when_somebody_noticed",
        (TRANSITIONS, '"expired", h.expires_at, ""', '"expired", earliest, ""'),
    ),
    wrong(
        "holders are dropped one ttl after they expire",
        "bounded recovery",
        (TRANSITIONS, "if earliest >= h.expires_at]", "if earliest >= h.expires_at + h.ttl]"),
    ),
    wrong(
        "a freeze never ends by itself",
        "no starvation",
        (TRANSITIONS, "earliest >= frozen.until", "earliest < 0"),
    ),
)
