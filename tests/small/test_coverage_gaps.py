"""Lines and branches that no other small test goes through."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gcs_ci_lock.errors import OutcomeUnknown
from gcs_ci_lock.locking.lease import Lost
from gcs_ci_lock.locking.outcome import Released
from gcs_ci_lock.protocol.text import printable_json
from gcs_ci_lock.protocol.transitions import NotHeld
from gcs_ci_lock.storage.memory import Moment, Request
from tests.support.fakes import PATHS, Client, World

COMMANDS = st.lists(
    st.one_of(
        st.sampled_from([":", "::", "##[", "#", "\\", "\n", "é"]),
        st.text('ab"\x00\ud800', max_size=3),
    ),
    max_size=6,
).map("".join)


@pytest.mark.property
@given(st.dictionaries(COMMANDS, COMMANDS, max_size=2))
@settings(max_examples=50)
def test_a_document_on_one_line_holds_no_command_and_loses_nothing(
    document: dict[str, str],
) -> None:
    line = printable_json(document)

    assert json.loads(line) == document
    assert line.isascii()
    assert "\n" not in line
    assert "::" not in line
    assert "##[" not in line


@pytest.mark.example
def test_commands_in_a_document_become_escapes() -> None:
    assert printable_json(["a::b##[c"]) == '["a:\\u003ab##\\u005bc"]'


class Meanwhile:
    """Lets somebody else act just before one of our writes to the record."""

    def __init__(self) -> None:
        self.rivals: list[Client] = []

    def __call__(self, request: Request, when: Moment) -> None:
        if request.method == "write" and request.path == PATHS.record and when == "before":
            for rival in [self.rivals.pop()] if self.rivals else []:
                there = rival.store.read(PATHS.record, known=None, limit=10**6, timeout=1)
                body, generation = getattr(there, "body", b"{}"), getattr(there, "generation", 0)
                rival.store.write(PATHS.record, body, generation=generation, timeout=1)


@pytest.mark.fault
def test_a_release_that_meets_anothers_write_looks_again_and_releases() -> None:
    world, meanwhile = World(), Meanwhile()
    client = world.client("a", fault=meanwhile)
    lease = client.hold().lease.id
    meanwhile.rivals.append(world.client("b"))

    result = client.lock.release(lease)

    assert isinstance(result, Released)
    assert result.ended.lease == lease
    assert b'"holders": []' in world.record_body()


@pytest.mark.fault
def test_a_stray_claim_is_disowned_although_somebody_else_writes_meanwhile() -> None:
    world, meanwhile = World(), Meanwhile()
    world.client("holder").hold()
    client = world.client("a", fault=meanwhile)
    meanwhile.rivals.append(world.client("b"))

    result = client.lock.void_claim("stray")

    assert isinstance(result, NotHeld)
    # The write that met the other's, and the one that makes the stray claim meet a new generation.
    assert client.count("write") == 2


@pytest.mark.fault
def test_a_renewal_that_meets_anothers_write_is_stamped_anew() -> None:
    world, meanwhile = World(), Meanwhile()
    client = world.client("a", fault=meanwhile)
    lease = client.hold().lease
    meanwhile.rivals.append(world.client("b"))
    world.clock.sleep(20.0)

    renewed = client.lock.renew(lease)

    assert not isinstance(renewed, Lost)
    assert renewed.revision > lease.revision
    assert renewed.sent_at == world.clock.now


@pytest.mark.fault
def test_a_release_that_nobody_answers_is_not_taken_for_done() -> None:
    world = World()

    def fault(request: Request, when: Moment) -> None:
        if request.method == "write" and when == "before" and world.clock.now > 1_010:
            message = "no answer"
            raise OutcomeUnknown(message)

    client = world.client("a", fault=fault)
    lease = client.hold().lease.id
    world.clock.sleep(20.0)

    with pytest.raises(OutcomeUnknown):
        client.lock.release(lease)

    assert lease.encode() in world.record_body()
