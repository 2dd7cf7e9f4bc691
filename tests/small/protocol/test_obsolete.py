"""Which runs of a job make which obsolete, by the record and by the tickets."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gcs_ci_lock.protocol.admission import AlreadyHolding, MayClaim, decide
from gcs_ci_lock.protocol.obsolete import Outdated, Superseded, job_key, older_waiters
from gcs_ci_lock.protocol.queue import Claimant
from gcs_ci_lock.protocol.record import SEQUENCES_LENGTH, Owner, Record, Ticket
from gcs_ci_lock.protocol.server_time import Interval
from gcs_ci_lock.protocol.text import MAX_FOREIGN
from gcs_ci_lock.protocol.transitions import grant
from tests.support.samples import ALICE, CLAIMANT, NOW, TICKET

JOB_KEY = "github/acme/api/deploy/prod"
EMPTY = Record(name="prod", fence=41)
ME = replace(CLAIMANT, lease="me", owner=ALICE, asked=Interval(earliest=NOW, latest=NOW + 1.5))


def claimant(
    lease: str = "me", *, born: float = math.inf, newest: bool = False, sequence: int | None = None
) -> Claimant:
    return replace(ME, lease=lease, created=born, newest=newest, sequence=sequence)


def ticket(
    lease: str, *, born: float, arrival: float | None = None, job_key: str = JOB_KEY
) -> Ticket:
    return replace(
        TICKET,
        lease=lease,
        arrival=born if arrival is None else arrival,
        created=born,
        job_key=job_key,
    )


def after(one: Claimant, record: Record = EMPTY) -> Record:
    """Return the record after a claimant has been granted the lock and has gone again."""
    now = Interval(earliest=NOW, latest=NOW + 1)
    held = grant(record, one, now=now, revision=1, fence_seen=0).record
    return replace(held, holders=())


def decided(record: Record, one: Claimant, *tickets: Ticket) -> object:
    return decide(record, one, tickets=tickets, earliest=NOW + 300)


@pytest.mark.example
def test_a_line_is_the_job_of_a_workflow_and_on_a_laptop_the_person() -> None:
    assert job_key(ALICE) == JOB_KEY
    assert job_key(Owner(platform="local", actor="bob", runner="mac")) == "local/mac/bob"


@pytest.mark.example
def test_jobs_whose_names_differ_only_in_what_is_not_printable_are_in_two_lines() -> None:
    first, second = (job_key(replace(ALICE, job=f"prod {letter}")) for letter in "äö")

    assert first != second


@pytest.mark.example
def test_jobs_of_two_projects_are_in_two_lines_wherever_their_names_have_a_slash() -> None:
    inner = Owner(platform="gitlab", repository="acme/api/site", job="deploy")
    outer = Owner(platform="gitlab", repository="acme/api", job="site/deploy")

    assert job_key(inner) == "gitlab/acme/api/site/deploy"
    assert job_key(outer) != job_key(inner)
    assert job_key(outer).startswith("gitlab/acme/api/site/deploy-")


@pytest.mark.property
@given(st.builds(Owner, **{key: st.text(max_size=300) for key in ("workflow", "job", "actor")}))
def test_a_line_is_printable_and_short_whatever_the_names_are(owner: Owner) -> None:
    line = job_key(owner)

    assert len(line) <= MAX_FOREIGN
    assert line.isascii()
    assert line.isprintable()
    assert "::" not in line


@pytest.mark.example
@pytest.mark.parametrize(
    ("mine", "expected"),
    [(811, Outdated(sequence=811, granted=812)), (812, None), (813, None), (None, None)],
)
def test_a_lower_number_than_one_that_was_granted_never_enters(
    mine: int | None, expected: Outdated | None
) -> None:
    record = after(claimant("other", sequence=812))

    decision = decided(record, claimant(sequence=mine))

    assert isinstance(decision, MayClaim) if expected is None else decision == expected


@pytest.mark.example
def test_numbers_of_another_line_say_nothing() -> None:
    other = replace(claimant("other", sequence=900), owner=replace(ALICE, job="test"))

    assert isinstance(decided(after(other), claimant(sequence=1)), MayClaim)


@pytest.mark.example
def test_a_number_that_was_granted_never_falls_again() -> None:
    record = after(claimant("second", sequence=7), after(claimant("first", sequence=9)))

    assert record.sequences == {JOB_KEY: 9}


@pytest.mark.example
def test_of_too_many_lines_the_one_that_was_granted_longest_ago_is_forgotten() -> None:
    record = EMPTY
    for number in range(SEQUENCES_LENGTH + 1):
        one = replace(claimant(sequence=number), owner=replace(ALICE, job=f"job{number}"))
        record = after(one, record)
        # Granted again and again, it is never the oldest.
        record = after(claimant(sequence=number), record)

    assert len(record.sequences) == SEQUENCES_LENGTH
    assert record.sequences[JOB_KEY] == SEQUENCES_LENGTH
    assert "github/acme/api/deploy/job0" not in record.sequences


@pytest.mark.example
def test_a_ticket_that_a_newer_one_has_superseded_ends_its_waiter() -> None:
    mine = replace(ticket("me", born=NOW), superseded_by="newer")

    assert decided(EMPTY, claimant(born=NOW), mine) == Superseded(by="newer")


@pytest.mark.example
@pytest.mark.parametrize(("born", "void"), [(NOW - 0.001, True), (NOW, False), (NOW + 9, False)])
def test_who_came_before_a_newest_one_that_was_granted_never_enters(
    *, born: float, void: bool
) -> None:
    record = after(claimant("newer", born=NOW, newest=True))

    decision = decided(record, claimant(born=born))

    assert isinstance(decision, Superseded if void else MayClaim)


@pytest.mark.example
def test_who_asked_before_a_newest_one_was_born_and_lost_its_ticket_never_enters() -> None:
    record = after(claimant("newer", born=NOW + 60, newest=True))

    assert decided(record, claimant()) == Superseded(by="")


@pytest.mark.example
def test_a_newest_one_without_a_ticket_makes_nobody_void_who_came_within_its_doubt() -> None:
    record = after(claimant("first", newest=True))

    assert isinstance(decided(record, claimant(born=NOW + 0.1)), MayClaim)
    assert isinstance(decided(record, claimant(born=NOW - 0.1)), Superseded)


@pytest.mark.example
def test_a_claim_that_has_landed_is_ours_although_a_newer_one_came() -> None:
    one = claimant(born=NOW)
    held = grant(
        EMPTY, one, now=Interval(earliest=NOW, latest=NOW + 1), revision=1, fence_seen=0
    ).record
    mine = replace(ticket("me", born=NOW), superseded_by="newer")

    assert isinstance(decide(held, one, tickets=[mine], earliest=NOW), AlreadyHolding)


@pytest.mark.example
def test_a_newest_one_supersedes_those_of_its_line_who_came_before_it() -> None:
    mine = ticket("me", born=NOW, arrival=NOW - 50)
    older = ticket("older", born=NOW - 60)
    oldest = ticket("later to come, first in line", born=NOW - 1, arrival=NOW - 90)
    newer, other = ticket("newer", born=NOW + 1), ticket("other", born=NOW - 9, job_key="x")
    counted = {t.lease: t for t in (mine, older, oldest, newer, other)}

    assert older_waiters(claimant(newest=True), counted) == (oldest, older)
    assert older_waiters(claimant(), counted) == ()


@pytest.mark.example
def test_before_it_has_a_ticket_all_of_its_line_came_before_a_newest_one() -> None:
    only = ticket("other", born=NOW + 5)

    assert older_waiters(claimant(newest=True), {"other": only}) == (only,)
