"""`gcs-ci-lock run` as it is typed, against a real storage server."""

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.bucket import TestBucket
from tests.support.shell import Site, until

pytestmark = pytest.mark.end_to_end

ALICE = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_REPOSITORY": "acme/api",
    "GITHUB_WORKFLOW": "deploy",
    "GITHUB_ACTOR": "alice",
}
REQUEST = re.compile(r"(GET|POST|DELETE) http://127\.0\.0\.1:\d+/\S+ -> \d{3} in \d+ ms")
# Says that it is ready, and goes on until it is told to stop.
PATIENT = "touch ready; while :; do sleep 0.1; done"


@pytest.fixture
def site(bucket: TestBucket, tmp_path: Path) -> Iterator[Site]:
    with Site(bucket, tmp_path) as site:
        yield site


def ready(site: Site) -> bool:
    return (site.folder / "ready").exists()


def test_the_exit_code_is_the_commands(site: Site) -> None:
    ended = site.run("run", "prod", *site.at, "--", "sh", "-c", "exit 3")

    assert ended.exit_code == 3, ended
    assert site.holders("prod") == []
    assert site.bucket.record("prod")["history"][-1]["outcome"] == "released"


def test_the_command_sees_its_token_lease_and_lock(site: Site) -> None:
    script = 'echo "$GCS_CI_LOCK_TOKEN $GCS_CI_LOCK_LEASE $GCS_CI_LOCK_NAME"'

    ended = site.run("run", "acme/api/prod", *site.at, "--", "sh", "-c", script)

    (last,) = site.bucket.record("acme/api/prod")["history"]
    assert ended.out == f"{last['token']} {last['lease']} acme/api/prod\n"


def test_what_the_command_prints_and_reads_is_untouched(site: Site) -> None:
    script = r"printf 'one\r\n\377\n'; cat; echo oops >&2"

    ended = site.run("run", "prod", *site.at, "--", "sh", "-c", script, stdin=b"\0two\n\nend")

    assert ended.exit_code == 0, ended
    assert ended.stdout == b"one\r\n\xff\n\0two\n\nend"
    assert "oops\n" in ended.err


def test_options_of_the_command_are_its_own(site: Site) -> None:
    ended = site.run("run", "prod", *site.at, "--", "echo", "--wait", "-v", "--", "--help")

    assert (ended.exit_code, ended.out) == (0, "--wait -v -- --help\n")


def test_every_option_may_come_from_the_environment(site: Site) -> None:
    environ = {
        "GCS_CI_LOCK_BUCKET": site.bucket.uri,
        "GCS_CI_LOCK_ENDPOINT": site.endpoint,
        "GCS_CI_LOCK_TTL": "45s",
        "GCS_CI_LOCK_SLOTS": "2",
        "GCS_CI_LOCK_REASON": "release 4.2",
        "GCS_CI_LOCK_VERBOSE": "1",
    }
    site.start("run", "prod", "--", "sh", "-c", PATIENT, environ=environ)

    until(lambda: ready(site))

    (holder,) = site.holders("prod")
    assert (holder["ttl"], holder["slots"]) == (45, 2)
    assert holder["owner"]["reason"] == "release 4.2"


def test_two_at_once_take_turns(site: Site) -> None:
    script = (
        'echo "begin $GCS_CI_LOCK_TOKEN" >> witness; sleep 0.5; '
        'echo "end $GCS_CI_LOCK_TOKEN" >> witness'
    )
    both = [site.start("run", "prod", *site.at, "--", "sh", "-c", script) for _ in range(2)]

    codes = [one.ended().exit_code for one in both]

    assert codes == [0, 0]
    lines = [line.split() for line in (site.folder / "witness").read_text().splitlines()]
    assert [word for word, _ in lines] == ["begin", "end", "begin", "end"]
    tokens = [int(token) for _, token in lines]
    assert tokens[0] == tokens[1] < tokens[2] == tokens[3]


def test_two_share_a_lock_of_two_slots(site: Site) -> None:
    first = site.hold("prod", "--slots", "2")

    second = site.run("run", "prod", *site.at, "--slots", "2", "--wait", "0", "--", "true")

    assert second.exit_code == 0, second
    assert "Acquired" in first.err


def test_one_try_on_a_held_lock_ends_at_once_and_names_the_holder(site: Site) -> None:
    site.hold("prod", "--reason", "release 4.2", environ=ALICE)

    ended = site.run("run", "prod", *site.at, "--wait", "0", "--", "touch", "ran")

    assert ended.exit_code == 75, ended
    assert ended.err.startswith('gcs-ci-lock: lock "prod"')
    assert "acme/api > deploy (alice)" in ended.err
    assert "release 4.2" in ended.err
    assert not (site.folder / "ran").exists()
    assert site.bucket.tickets("prod") == []


def test_who_waits_is_told_for_whom(site: Site) -> None:
    holder = site.hold("prod", "--reason", "release 4.2", environ=ALICE)
    waiting = site.start("run", "prod", *site.at, "--", "true")
    until(lambda: "Waiting" in waiting.err)

    holder.send(signal.SIGTERM)
    ended = waiting.ended()

    assert ended.exit_code == 0, ended
    assert f'Waiting for lock "prod" ({site.bucket.uri}/prod)' in ended.err
    assert "held by   acme/api > deploy (alice)" in ended.err
    assert "you are   1st of 1" in ended.err
    assert site.bucket.tickets("prod") == []


@pytest.mark.parametrize(
    ("environ", "begin", "end"),
    [
        (ALICE, "::group::Waiting for lock", "::endgroup::"),
        ({"GITLAB_CI": "true"}, "[collapsed=true]\r\x1b[0KWaiting for lock", "section_end:"),
    ],
)
def test_where_a_log_can_fold_the_lines_are_folded(
    site: Site, environ: dict[str, str], begin: str, end: str
) -> None:
    site.hold("prod")
    waiting = site.start("run", "prod", *site.at, "--", "true", environ=environ)
    until(lambda: end in waiting.err)

    waiting.send(signal.SIGTERM)
    told = waiting.ended().err

    assert told.count(begin) == told.count(end) == 1
    assert told.index(begin) < told.index("\n  held by   ") < told.index(end)
    assert told.index(end) < told.index("Stopped waiting")


def test_requests_are_logged_only_when_asked_for(site: Site) -> None:
    verbose = site.run("run", "prod", *site.at, "-v", "--", "true")
    quiet = site.run("run", "other", *site.at, "--", "true")

    logged = [line for line in verbose.err.splitlines() if " -> " in line]
    assert all(REQUEST.fullmatch(line) for line in logged), logged
    # An uncontended claim is a read and a write; the release is one write more.
    assert [line.split()[0] for line in logged] == ["GET", "POST", "POST"]
    assert " -> " not in quiet.err


@pytest.mark.parametrize("command", ["/no/such/program", "/etc"], ids=["missing", "a folder"])
def test_a_command_that_cannot_run_leaves_the_lock_free(site: Site, command: str) -> None:
    ended = site.run("run", "prod", *site.at, "--", command)

    assert ended.exit_code == 2, ended
    assert f'gcs-ci-lock: cannot run "{command}": ' in ended.err
    assert "Traceback" not in ended.err
    assert site.holders("prod") == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGUSR1])
def test_a_command_that_dies_of_a_signal_is_told_as_a_shell_would(
    site: Site, number: signal.Signals
) -> None:
    ended = site.run("run", "prod", *site.at, "--", "sh", "-c", f"kill -{int(number)} $$")

    assert ended.exit_code == 128 + number, ended
    assert site.holders("prod") == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_reaches_the_command_which_decides(site: Site, number: signal.Signals) -> None:
    script = f"trap 'touch told; exit 7' {number.name[3:]}; {PATIENT}"
    running = site.start("run", "prod", *site.at, "--", "sh", "-c", script)
    until(lambda: ready(site))

    running.send(number)
    ended = running.ended()

    assert ended.exit_code == 7, ended
    assert (site.folder / "told").exists()
    assert site.holders("prod") == []


def test_a_signal_at_the_moment_of_the_claim_is_not_lost(site: Site) -> None:
    with site.spawn(
        *("run", "prod", *site.at, "--", "sleep", "60"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stderr is not None
        acquired = process.stderr.readline()

        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)

    assert acquired.startswith(b"Acquired")
    assert process.returncode == 143
    assert site.holders("prod") == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_it_waits_ends_it_and_leaves_nothing(
    site: Site, number: signal.Signals
) -> None:
    site.hold("prod")
    before = site.holders("prod")
    waiting = site.start("run", "prod", *site.at, "--", "touch", "ran")
    until(lambda: len(site.bucket.tickets("prod")) == 1)

    waiting.send(number)
    ended = waiting.ended()

    assert ended.exit_code == 128 + number, ended
    assert "Stopped waiting" in ended.err
    assert site.bucket.tickets("prod") == []
    assert [h["lease"] for h in site.holders("prod")] == [h["lease"] for h in before]
    assert not (site.folder / "ran").exists()


def evict(site: Site) -> None:
    """Let somebody end the lease, as the record tells it."""
    record = site.bucket.record("prod")
    (holder,) = record["holders"]
    kept = ("lease", "owner", "token", "asked_at", "granted_at")
    ended: dict[str, Any] = {key: holder[key] for key in kept}
    ended |= {"ended_at": holder["granted_at"] + 1, "outcome": "evicted", "note": "stuck"}
    record |= {"holders": [], "history": [ended]}
    site.bucket.write("prod", json.dumps(record).encode())


def test_a_command_is_told_to_stop_when_the_lease_is_lost(site: Site) -> None:
    script = f"trap 'touch told; exit 0' TERM; {PATIENT}"
    running = site.start("run", "prod", *site.at, "--ttl", "30s", "--", "sh", "-c", script)
    until(lambda: ready(site))

    evict(site)
    after = site.stored("prod")
    ended = running.ended()

    assert ended.exit_code == 76, ended
    assert (site.folder / "told").exists()
    assert 'gcs-ci-lock: lease on lock "prod" lost: ' in ended.err
    assert re.search(r'token \d+ was evicted at \d\d:\d\d:\d\dZ \("stuck"\)', ended.err)
    assert site.stored("prod") == after


def test_a_command_that_will_not_stop_is_killed_with_all_that_it_started(site: Site) -> None:
    script = f"trap '' TERM; sleep 60 & {PATIENT}"
    running = site.start("run", "prod", *site.at, "--ttl", "30s", "--", "sh", "-c", script)
    until(lambda: ready(site))

    site.bucket.delete_record("prod")
    ended = running.ended()

    assert ended.exit_code == 76, ended
    until(lambda: site.processes() == [])


def test_a_loss_that_only_the_release_finds_is_told(site: Site) -> None:
    running = site.start("run", "prod", *site.at, "--", "sh", "-c", "touch ready; sleep 1")
    until(lambda: ready(site))

    site.bucket.delete_record("prod")
    ended = running.ended()

    assert ended.exit_code == 76, ended
    assert "is not in the record any more" in ended.err
    assert site.bucket.body("prod") is None


def test_a_log_that_cannot_be_written_costs_nobody_the_lock(site: Site) -> None:
    command = f"gcs-ci-lock run prod {' '.join(site.at)} -- touch ran"

    for broken in ("2>/dev/full", "2>&-", "2>&1 | head -0"):
        ended = site.shell(f"rm -f ran; {command} {broken}; test -e ran")

        assert ended.exit_code == 0, (broken, ended)
        assert site.holders("prod") == []


def test_a_terminal_that_hangs_up_leaves_no_ticket(site: Site) -> None:
    site.hold("prod")
    waiting = site.start("run", "prod", *site.at, "--", "true")
    until(lambda: site.bucket.tickets("prod") != [])

    waiting.send(signal.SIGHUP)

    assert waiting.ended().exit_code == 129
    assert site.bucket.tickets("prod") == []


def test_a_command_on_a_terminal_can_read_from_it(site: Site) -> None:
    script = "read x; echo got \\$x"
    program = f"gcs-ci-lock run prod {' '.join(site.at)} -- sh -c '{script}'"

    ended = site.shell(f'(sleep 3; echo hello; sleep 1) | script -qec "{program}" /dev/null')

    assert "got hello" in ended.out.replace("\\$x", "")
    assert site.holders("prod") == []
