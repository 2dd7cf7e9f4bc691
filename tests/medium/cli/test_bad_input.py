"""What a person may get wrong: one clear sentence, the right exit code, and nothing changed."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.bucket import TestBucket
from tests.support.runner import log_commands
from tests.support.scripted_server import Answer, ScriptedServer
from tests.support.shell import Ended, Site, closed_port

pytestmark = pytest.mark.end_to_end

COMMANDS = {
    "run": ("run", "prod", "--wait", "0"),
    "acquire": ("acquire", "prod", "--wait", "0"),
    "status": ("status", "prod"),
}
RECORD = (
    b'{"schema":1,"name":"prod","fence":1,"freed_at":0,"holders":[%s],'
    b'"frozen":null,"sequences":{},"history":[]}'
)


@pytest.fixture
def site(bucket: TestBucket, tmp_path: Path) -> Iterator[Site]:
    with Site(bucket, tmp_path) as site:
        yield site


def sentence(ended: Ended) -> str:
    """Return the one line that a person reads; there must be no other."""
    assert ended.stdout == b""
    (line,) = ended.err.splitlines()
    assert line.startswith("gcs-ci-lock: ")
    assert log_commands(ended.err) == []
    return line


def with_a_command(words: tuple[str, ...]) -> tuple[str, ...]:
    return (*words, "--", "touch", "ran") if words[0] == "run" else words


def left_behind(site: Site) -> list[str]:
    return [path.name for path in site.folder.iterdir()]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_bucket_must_be_named(site: Site, command: str) -> None:
    ended = site.run(*with_a_command((*COMMANDS[command], "--endpoint", site.endpoint)))

    assert ended.exit_code == 2, ended
    assert "no bucket is given" in sentence(ended)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_bucket_must_exist(site: Site, command: str) -> None:
    where = ("--bucket", "no-such-bucket-x", "--endpoint", site.endpoint)

    ended = site.run(*with_a_command((*COMMANDS[command], *where)))

    assert ended.exit_code == 2, ended
    assert 'bucket "no-such-bucket-x" does not exist' in sentence(ended)
    assert left_behind(site) == []


@pytest.mark.parametrize("command", COMMANDS)
def test_a_bucket_without_permission_is_told_with_what_is_needed(site: Site, command: str) -> None:
    message = "alice lacks storage.objects.get\n::error::x ##[error]y"
    body = json.dumps({"error": {"code": 403, "message": message}}).encode()
    with ScriptedServer(Answer(403, body, {"Content-Type": "application/json"})) as server:
        where = ("--bucket", "acme-locks", "--endpoint", server.endpoint)

        ended = site.run(*with_a_command((*COMMANDS[command], *where)))

    assert ended.exit_code == 77, ended
    assert "Grant roles/storage.objectUser on gs://acme-locks" in sentence(ended)
    assert left_behind(site) == []


def test_status_does_not_wait_for_a_server_that_is_not_there(site: Site) -> None:
    endpoint = f"http://127.0.0.1:{closed_port()}"

    ended = site.run("status", "prod", "--bucket", "acme-locks", "--endpoint", endpoint)

    assert ended.exit_code == 69, ended
    assert "Connection refused" in sentence(ended)


def test_one_try_gives_a_server_that_is_not_there_up_after_some_seconds(site: Site) -> None:
    endpoint = f"http://127.0.0.1:{closed_port()}"
    where = ("--bucket", "acme-locks", "--endpoint", endpoint, "--wait", "0")

    ended = site.run("run", "prod", *where, "--", "touch", "ran")

    assert ended.exit_code == 69, ended
    assert "no answer from the storage server" in sentence(ended)
    assert left_behind(site) == []


@pytest.mark.parametrize(
    ("endpoint", "words"),
    [
        ("http://192.0.2.1", "is plain http to another machine"),
        ("http://127.0.0.1.example.com", "is plain http to another machine"),
        ("ftp://127.0.0.1", "is not valid"),
        ("127.0.0.1:4443", "is not valid"),
        ("http://alice@127.0.0.1:4443", "is not valid"),
    ],
)
def test_an_endpoint_that_cannot_be_trusted_is_refused(
    site: Site, endpoint: str, words: str
) -> None:
    ended = site.run("status", "prod", "--bucket", "acme-locks", "--endpoint", endpoint)

    assert ended.exit_code == 2, ended
    assert f'endpoint "{endpoint}" {words}' in sentence(ended)


@pytest.mark.parametrize("command", COMMANDS)
def test_an_emulator_is_never_chosen_by_a_variable_alone(site: Site, command: str) -> None:
    words = (*COMMANDS[command], "--bucket", site.bucket.uri)

    ended = site.run(*with_a_command(words), environ={"STORAGE_EMULATOR_HOST": site.endpoint})

    assert ended.exit_code == 2, ended
    assert "STORAGE_EMULATOR_HOST is set" in sentence(ended)
    assert site.bucket.body("prod") is None


@pytest.mark.parametrize(
    "environ",
    [{"NO_GCE_CHECK": "true"}, {"GOOGLE_APPLICATION_CREDENTIALS": "missing.json"}],
    ids=["none", "missing file"],
)
def test_without_credentials_it_says_which_are_expected(
    site: Site, environ: dict[str, str]
) -> None:
    ended = site.run("status", "prod", "--bucket", "acme-locks", environ=environ)

    assert ended.exit_code == 77, ended
    assert "there are no usable Google credentials" in sentence(ended)


@pytest.mark.parametrize(
    "name",
    [
        *("../x", "A b", "", "a" * 600, "a//b", "prod/", "queue", "1/2/3/4/5/6/7/8/9"),
        *("pr\nod", "::error::x", "##[error]x", "pröd"),
    ],
    ids=lambda name: repr(name[:20]),
)
def test_a_name_that_no_lock_may_have_is_refused(site: Site, name: str) -> None:
    ended = site.run("run", name, *site.at, "--", "touch", "ran")

    assert ended.exit_code == 2, ended
    assert sentence(ended).startswith('gcs-ci-lock: lock name "')
    assert "is not allowed: expected 1 to 8 segments" in sentence(ended)
    assert left_behind(site) == []


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--ttl", "3s", "ttl 3s is out of range: expected 30s to 24h"),
        ("--ttl", "72h", "ttl 72h00m is out of range: expected 30s to 24h"),
        ("--ttl", "", 'ttl "" is not a duration'),
        ("--slots", "0", 'slots "0" is not valid: expected an integer from 1'),
        ("--slots", "-1", 'slots "-1" is not valid'),
        ("--slots", "many", 'slots "many" is not valid'),
        ("--wait", "soon", 'wait "soon" is not a duration: expected one like 90s'),
        ("--wait", "-5m", 'wait "-5m" is not a duration'),
        ("--wait", "99999h", "wait 4166d is out of range"),
        ("--max-hold", "0", "max-hold 0s is out of range"),
        ("--max-hold", "3 days", 'max-hold "3 days" is not a duration'),
        ("--bucket", "../x", 'bucket "../x" is not valid'),
        ("--bucket", "gs://acme-locks/a/../b", 'bucket "gs://acme-locks/a/../b" is not valid'),
        ("--bucket", "s3://acme-locks", 'bucket "s3://acme-locks" is not valid'),
    ],
)
def test_an_option_out_of_its_range_is_refused(
    site: Site, option: str, value: str, words: str
) -> None:
    ended = site.run("run", "prod", *site.at, option, value, "--", "touch", "ran")

    assert ended.exit_code == 2, ended
    assert words in sentence(ended)
    assert left_behind(site) == []
    assert site.bucket.body("prod") is None


@pytest.mark.parametrize("command", ["run", "status", "acquire"])
@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"not JSON", "it is not JSON"),
        (b" " * 5_000_000, "it is larger than 4194304 bytes"),
        (b'{"schema": 99}', "schema should be 1 (a newer program may have written it), found 99"),
        (RECORD % b'{"lease":"x","owner":{},"slots":1}', 'an object with "token"'),
        (RECORD.replace(b'"name":"prod"', b'"name":"::error::x"') % b"", 'name should be "prod"'),
    ],
    ids=["text", "5 MB", "schema 99", "holder without a token", "another lock's"],
)
def test_a_record_that_is_none_is_refused_and_left_as_it_is(
    site: Site, command: str, body: bytes, words: str
) -> None:
    site.bucket.write("prod", body)
    before = site.stored("prod")

    ended = site.run(*with_a_command((*COMMANDS[command], *site.at)))

    assert ended.exit_code == 2, ended
    assert f"the lock record {site.bucket.uri}/prod/lock.json is not valid" in sentence(ended)
    assert words in sentence(ended)
    assert site.stored("prod") == before
    assert left_behind(site) == []


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("run", "prod", "--bogus", "--", "true"), "No such option: --bogus"),
        (("status", "--ttl", "2m"), "No such option: --ttl"),
        (("run", "prod", "--wait"), "Option '--wait' requires an argument"),
        (("bogus",), "No such command 'bogus'"),
        (("::error::x",), "No such command"),
        (("run",), "Missing argument 'NAME'"),
        (("hold",), "Missing argument 'NAME'"),
        (("acquire",), "Missing argument 'NAME'"),
        (("check", "prod"), "Got unexpected extra argument"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_command_line_that_cannot_be_read_is_refused_with_a_hint(
    site: Site, words: tuple[str, ...], complaint: str
) -> None:
    ended = site.run(*words)

    assert ended.exit_code == 2, ended
    assert ended.stdout == b""
    *hints, last = ended.err.splitlines()
    assert last.startswith(f"Error: {complaint}")
    assert not any("Error" in hint for hint in hints)
    assert "Traceback" not in ended.err


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("run", "prod"), "there is no command to run: expected it after --"),
        (("run", "prod", "true"), "there is no command to run: expected it after --"),
        (("run", "prod", "--"), "there is no command to run: expected it after --"),
        (("acquire", "prod", "staging"), "acquire accepts only one lock"),
        (("run", "prod", "Staging", "--", "true"), 'lock name "Staging" is not allowed'),
        (("run", "prod", "--queue", "lifo", "--", "true"), 'queue "lifo" is not valid'),
        (("run", "prod", "--priority", "10", "--", "true"), 'priority "10" is not valid'),
        (("hold", "prod", "--sequence", "v1"), 'sequence "v1" is not valid'),
        (("freeze", "prod", "--reason", " "), "--reason is empty"),
        (("freeze", "prod", "--reason", "x", "--until", "0"), "is over already"),
        (("freeze", "prod", "--reason", "x", "--until", "2020-01-01T00:00Z"), "is over already"),
        (("freeze", "prod", "--reason", "x", "--until", "2999-01-01T00:00"), "is not a time"),
        (("freeze", "prod", "--reason", "x", "--until", "soon"), 'until "soon" is not a time'),
        (("unfreeze", "Prod"), 'lock name "Prod" is not allowed'),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_a_command_cannot_do_is_told_before_anything_is_done(
    site: Site, words: tuple[str, ...], complaint: str
) -> None:
    ended = site.run(*words[:2], *site.at, *words[2:])

    assert ended.exit_code == 2, ended
    assert complaint in sentence(ended)
    assert left_behind(site) == []


@pytest.mark.parametrize("lease_file", ["folder", "missing/lease", "file/lease"])
def test_a_lease_file_that_cannot_be_written_leaves_the_lock_free(
    site: Site, lease_file: str
) -> None:
    (site.folder / "folder").mkdir()
    (site.folder / "file").touch()

    ended = site.run("acquire", "prod", *site.at, "--lease-file", lease_file)

    assert ended.exit_code == 2, ended
    assert f"lease file {site.folder / lease_file} cannot be" in sentence(ended)
    assert site.holders("prod") == []
    assert sorted(left_behind(site)) == ["file", "folder"]
