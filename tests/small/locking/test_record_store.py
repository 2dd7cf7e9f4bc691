"""The record's object, its generation, and whether that is certain."""

import re

import pytest

from gcs_ci_lock.errors import RecordInvalid
from tests.support.fakes import PATHS, World

pytestmark = pytest.mark.example


@pytest.mark.parametrize(
    "body",
    [
        b"not JSON",
        b'{"schema": 99}',
        b" " * 5_000_000,
        (
            b'{"schema":1,"name":"prod","fence":1,"freed_at":0,"holders":[{"lease":"x"}],'
            b'"frozen":null,"sequences":{},"history":[]}'
        ),
    ],
    ids=["text", "schema 99", "5 MB", "holder without a token"],
)
def test_a_record_that_is_none_is_refused_and_left_as_it_is(body: bytes) -> None:
    world = World()
    world.client("x").store.write(PATHS.record, body, generation=0, timeout=1)
    client = world.client("a")

    with pytest.raises(RecordInvalid, match=re.escape("gs://acme-locks/locks/prod/lock.json")):
        client.acquire()

    assert world.record_body() == body
    assert client.count("write") == 0
