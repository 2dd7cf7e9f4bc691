"""Wrong versions of the queue."""

from tests.simulation.planted import wrong

CLIENT = "gcs_ci_lock/locking/client.py"
POLLING = "gcs_ci_lock/locking/polling.py"
ACQUISITION = "gcs_ci_lock/locking/acquisition.py"
ADMISSION = "gcs_ci_lock/protocol/admission.py"
QUEUE = "gcs_ci_lock/protocol/queue.py"
SMALL = "tests/small"

QUEUE_ORDER = (
    wrong(
        "the queue is never listed",
        "queue order",
        (CLIENT, "ticket for ticket in found if ticket is not None", "ticket for ticket in ()"),
    ),
    wrong(
        "later readers overtake a waiting writer",
        "queue order",
        (QUEUE, "if any(not fits(holders, ticket) for ticket in ahead):", "if holders is None:"),
    ),
    wrong(
        "an idle queue is not listed although readers hold",
        "queue order",
        (ADMISSION, "if not record.holders and not", "if fits(record.holders, claimant) and not"),
        (
            ADMISSION,
            "import Claimant, QueuePosition, active",
            "import Claimant, QueuePosition, active, fits",
        ),
    ),
    wrong(
        "the arrival of a ticket is its last rewrite",
        "queue order",
        (
            "gcs_ci_lock/protocol/ticket_metadata.py",
            'metadata.get("arrival", created_text)',
            "created_text",
        ),
    ),
    wrong(
        "tickets count as abandoned after 20 s",
        "queue order",
        (QUEUE, "TICKET_LIFE = 90.0", "TICKET_LIFE = 20.0"),
    ),
    wrong(
        "the next waiter moves up immediately",
        "queue order",
        (QUEUE, "return SETTLE_TIME_PER_PLACE * passed_over", "return 0.0"),
    ),
    wrong(
        "the third waiter moves up 2 s after the second",
        f"{SMALL}/protocol/test_queue.py::test_a_place_in_line_is_worth_more_than_the_slowest_poll",
        (
            QUEUE,
            "SETTLE_TIME_PER_PLACE * passed_over",
            "(4 + 2 * passed_over if passed_over else 0)",
        ),
    ),
    wrong(
        "only the claimant's own slots count",
        "exclusion",
        (QUEUE, "min(one.slots for one in everyone)", "claimant.slots"),
    ),
    wrong(
        "a freeze is ignored",
        "no entry while frozen",
        (ADMISSION, "if record.frozen or position.settle_time", "if position.settle_time"),
    ),
    wrong(
        "a waiter for an unfreeze has no ticket",
        f"{SMALL}/locking/test_acquisition.py::test_who_waits_for_an_unfreeze_has_a_ticket",
        (
            ACQUISITION,
            "trouble = self._contender.refresh_ticket()",
            'trouble = "" if record.frozen else self._contender.refresh_ticket()',
        ),
    ),
    wrong(
        "waiters poll 29 s too late",
        "bounded hand-over",
        (POLLING, "SLOWEST_POLL) * spread", "SLOWEST_POLL) * spread + 29.0"),
    ),
    wrong(
        "a cancelled waiter leaves its ticket behind",
        "cancel leaves nothing",
        ("gcs_ci_lock/locking/contender.py", "object]] = [self.ticket.delete]", "object]] = []"),
    ),
)
