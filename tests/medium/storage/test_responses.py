"""Every answer that a storage server may give, or not give, over a real connection.

Each is one request: nothing is tried again below the lock, and nothing is concluded from silence.
"""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from gcs_ci_lock.errors import BucketMissing, Denied, OutcomeUnknown, PreconditionFailed, StoreError
from gcs_ci_lock.ports import NotFound, NotModified, ObjectRead, ObjectStore
from gcs_ci_lock.wiring import Connection, connect
from tests.support.scripted_server import Answer, ScriptedServer, http_date

pytestmark = pytest.mark.fault


TIMEOUT = 2.0


MIB = 1024 * 1024


MOMENT = 1_795_442_531.0


OBJECT = Answer(
    body=b'{"schema": 1}',
    headers={"x-goog-generation": "7", "x-goog-metageneration": "1"},
    date=http_date(MOMENT),
)


WRITTEN = Answer(
    body=json.dumps(
        {
            "name": "locks/prod/lock.json",
            "generation": "8",
            "timeCreated": "2026-11-23T14:02:11.250Z",
            "updated": "2026-11-23T14:02:11.250Z",
        }
    ).encode(),
    headers={"Content-Type": "application/json"},
)


def refusal(status: int, message: str, reason: str = "x") -> Answer:
    error = {"code": status, "message": message, "errors": [{"reason": reason}]}
    body = json.dumps({"error": error}).encode()
    return Answer(status=status, body=body, headers={"Content-Type": "application/json"})


def connection_to(server: ScriptedServer) -> Connection:
    return connect("acme-locks", endpoint=server.endpoint, environ={})


def store_on(server: ScriptedServer) -> ObjectStore:
    return connection_to(server).store


def read(store: ObjectStore) -> object:
    return store.read("locks/prod/lock.json", known=7, limit=4 * MIB, timeout=TIMEOUT)


def write(store: ObjectStore) -> object:
    return store.write("locks/prod/lock.json", b"{}", generation=7, timeout=TIMEOUT)


def listing(store: ObjectStore) -> object:
    return store.list("locks/prod/queue/", timeout=TIMEOUT)


def delete(store: ObjectStore) -> None:
    store.delete("locks/prod/queue/x", generation=7, timeout=TIMEOUT)


CALLS = [read, write, listing, delete]


Call = Callable[[ObjectStore], object]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    ("answer", "expected", "busy"),
    [
        (refusal(401, "Invalid Credentials"), Denied, None),
        (refusal(403, "x does not have storage.objects.get access"), Denied, None),
        (refusal(403, "slow down", "userRateLimitExceeded"), OutcomeUnknown, True),
        (refusal(408, "request time-out"), OutcomeUnknown, False),
        (refusal(429, "rate limit"), OutcomeUnknown, True),
        (refusal(500, "backend error"), OutcomeUnknown, False),
        (refusal(502, "bad gateway"), OutcomeUnknown, False),
        (refusal(503, "unavailable"), OutcomeUnknown, True),
        (refusal(504, "gateway time-out"), OutcomeUnknown, False),
        (Answer(status=503, body=b"<html>busy</html>"), OutcomeUnknown, True),
        (refusal(400, "bad request"), StoreError, None),
        (refusal(404, "The specified bucket does not exist."), BucketMissing, None),
        (refusal(412, "conditionNotMet"), PreconditionFailed, None),
        (Answer(status=307, headers={"Location": "http://127.0.0.1:1/"}), StoreError, None),
        (Answer(manner="reset"), OutcomeUnknown, False),
        (Answer(manner="hang"), OutcomeUnknown, False),
        (replace(WRITTEN, manner="half"), OutcomeUnknown, False),
    ],
    ids=[
        "401",
        "403",
        "403 rate limit",
        "408",
        "429",
        "500",
        "502",
        "503",
        "504",
        "503 of a proxy",
        "400",
        "404 of the bucket",
        "412",
        "redirect",
        "reset",
        "hang",
        "half a body",
    ],
)
def test_an_answer_has_its_meaning_and_is_asked_for_once(
    call: Call,
    answer: Answer,
    expected: type[StoreError],
    *,
    busy: bool | None,
) -> None:
    with ScriptedServer(answer) as server:
        with pytest.raises(StoreError) as refused:
            call(store_on(server))

        assert type(refused.value) is expected
        assert len(server.asked) == 1
    if isinstance(refused.value, OutcomeUnknown):
        assert refused.value.busy is busy


@pytest.mark.parametrize("call", CALLS)
def test_the_client_library_asks_nothing_again_behind_our_back(call: Call) -> None:
    # Its own retries would turn a success whose answer was lost into a false 412.
    with ScriptedServer(refusal(503, "unavailable"), WRITTEN) as server:
        with pytest.raises(OutcomeUnknown):
            call(store_on(server))

        assert len(server.asked) == 1


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("status", [401, 403])
def test_a_denial_says_what_is_needed(call: Call, status: int) -> None:
    with ScriptedServer(refusal(status, "no access")) as server, pytest.raises(Denied) as refused:
        call(store_on(server))

    message = str(refused.value)
    assert "gs://acme-locks" in message
    assert "roles/storage.objectUser" in message
    assert refused.value.exit_code == 77


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("status", [307, 400, 401, 403, 412, 429, 503])
@pytest.mark.parametrize("place", ["message", "reason", "body", "location"])
def test_what_a_server_says_cannot_speak_to_a_runner(call: Call, status: int, place: str) -> None:
    evil = "x\r\n::error::y ##[error]z \x1b[31m" + "w" * 10_000
    answers = {
        "message": refusal(status, evil),
        "reason": refusal(status, "x", evil),
        "body": Answer(status=status, body=evil.encode()),
        "location": Answer(status=status, headers={"Location": "http://x/::error::y##[error]z"}),
    }
    with ScriptedServer(answers[place]) as server, pytest.raises(StoreError) as refused:
        call(store_on(server))

    message = str(refused.value)
    assert message.isprintable()
    assert "::" not in message
    assert "##[" not in message
    assert len(message) < 600


def test_a_generation_that_is_none_cannot_speak_to_a_runner_either() -> None:
    evil = replace(WRITTEN, body=b'{"name": "x", "generation": "::error::y ##[error]z"}')
    with ScriptedServer(evil) as server, pytest.raises(OutcomeUnknown) as refused:
        write(store_on(server))

    message = str(refused.value)
    assert "invalid literal" in message
    assert "::" not in message
    assert "##[" not in message


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(call: Call, status: int) -> None:
    elsewhere = Answer(status=status, headers={"Location": "/elsewhere"})
    with ScriptedServer(elsewhere, WRITTEN) as server:
        with pytest.raises(StoreError, match="redirects to another address") as refused:
            call(store_on(server))

        assert type(refused.value) is StoreError
        assert len(server.asked) == 1


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("status", [400, 404, 412])
def test_half_a_refusal_is_no_refusal(call: Call, status: int) -> None:
    half = replace(refusal(status, "x" * 500), manner="half")
    with ScriptedServer(half) as server:
        with pytest.raises(OutcomeUnknown):
            call(store_on(server))

        assert len(server.asked) == 1


def test_a_body_that_is_not_what_was_stored_is_no_answer() -> None:
    headers = {"x-goog-generation": "8", "x-goog-hash": "crc32c=AAAAAA=="}
    with ScriptedServer(replace(OBJECT, headers=headers)) as server:
        with pytest.raises(OutcomeUnknown, match="Checksum mismatch"):
            read(store_on(server))

        assert len(server.asked) == 1


def test_an_object_is_found_with_its_generation() -> None:
    with ScriptedServer(replace(OBJECT, headers={"x-goog-generation": "8"})) as server:
        found = read(store_on(server))

        (asked,) = server.asked
    assert found == ObjectRead(body=b'{"schema": 1}', generation=8)
    assert asked.query["ifGenerationNotMatch"] == ["7"]
    assert "authorization" not in asked.headers


@pytest.mark.parametrize("answer", [Answer(status=304, body=b""), OBJECT], ids=["304", "200"])
def test_unchanged_is_told_by_304_or_by_the_same_generation(answer: Answer) -> None:
    with ScriptedServer(answer) as server:
        assert read(store_on(server)) == NotModified()
        assert len(server.asked) == 1


def test_an_object_that_is_not_there_is_missing() -> None:
    with ScriptedServer(refusal(404, "No such object: acme-locks/locks/prod/lock.json")) as server:
        assert read(store_on(server)) == NotFound()


def test_an_object_that_is_gone_meanwhile_is_a_change() -> None:
    with (
        ScriptedServer(refusal(404, "No such object: x")) as server,
        pytest.raises(PreconditionFailed),
    ):
        write(store_on(server))


def test_five_megabytes_are_not_read_to_their_end() -> None:
    big = replace(OBJECT, body=b"x" * (5 * MIB))
    with ScriptedServer(big) as server:
        found = read(store_on(server))
        assert len(server.asked) == 1

    assert found == ObjectRead(body=None, generation=0)


@pytest.mark.parametrize("body", [b"", b"OK", b"[]", b'{"name": "x"}', b'{"generation": "soon"}'])
def test_a_write_whose_answer_says_nothing_may_have_been_carried_out(body: bytes) -> None:
    answer = replace(WRITTEN, body=body)
    with ScriptedServer(answer) as server:
        with pytest.raises(OutcomeUnknown):
            write(store_on(server))

        assert len(server.asked) == 1


def test_an_object_without_a_generation_comes_from_no_storage_server() -> None:
    answer = replace(OBJECT, headers={})
    with ScriptedServer(answer) as server, pytest.raises(StoreError, match="without a generation"):
        read(store_on(server))


def test_a_write_is_one_multipart_upload_with_its_precondition() -> None:
    with ScriptedServer(WRITTEN) as server:
        entry = store_on(server).write(
            "locks/prod/lock.json",
            b'{"schema": 1}',
            generation=7,
            metadata={"slots": "1"},
            timeout=TIMEOUT,
        )

        (asked,) = server.asked
    assert entry.generation == 8
    assert (asked.method, asked.path) == ("POST", "/upload/storage/v1/b/acme-locks/o")
    assert asked.query["uploadType"] == ["multipart"]
    assert asked.query["ifGenerationMatch"] == ["7"]
    assert b'"cacheControl": "no-store"' in asked.body
    assert b'"slots": "1"' in asked.body
    assert b'{"schema": 1}' in asked.body
    assert "authorization" not in asked.headers


def test_a_deletion_names_its_generation() -> None:
    with ScriptedServer(Answer(status=204, body=b"")) as server:
        delete(store_on(server))

        (asked,) = server.asked
    assert asked.method == "DELETE"
    assert asked.query["ifGenerationMatch"] == ["7"]


def test_deleting_what_is_gone_is_no_error() -> None:
    with ScriptedServer(refusal(404, "No such object: x")) as server:
        delete(store_on(server))


def test_nobody_answers_where_nobody_listens() -> None:
    with ScriptedServer(OBJECT) as server:
        store = store_on(server)

    with pytest.raises(OutcomeUnknown, match="no answer from the storage server"):
        read(store)


def test_a_listing_that_never_ends_is_ended() -> None:
    endless = Answer(body=b'{"items": [], "nextPageToken": "x"}')
    with ScriptedServer(endless) as server, pytest.raises(StoreError, match="at most 100 pages"):
        listing(store_on(server))


@pytest.mark.parametrize("call", [write, listing, delete])
def test_unchanged_is_no_answer_to_anything_but_a_read(call: Call) -> None:
    with ScriptedServer(Answer(status=304, body=b"")) as server, pytest.raises(StoreError):
        call(store_on(server))


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize("call", [write, listing])
def test_an_answer_that_is_too_deep_is_an_error_of_the_store(call: Call, status: int) -> None:
    deep = replace(WRITTEN, status=status, body=b"[" * 100_000)
    with ScriptedServer(deep) as server, pytest.raises(StoreError):
        call(store_on(server))
