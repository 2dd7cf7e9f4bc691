"""`acquire`, `check` and `release` as they are typed: the lease lives between them in a file."""

import json
import os
import re
import signal
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.bucket import TestBucket
from tests.support.shell import LEASE_FILE, Site, until

pytestmark = pytest.mark.end_to_end


@pytest.fixture
def site(bucket: TestBucket, tmp_path: Path) -> Iterator[Site]:
    with Site(bucket, tmp_path) as site:
        yield site


def acquire(site: Site, *options: str) -> None:
    ended = site.run("acquire", "prod", *site.at, *options)
    assert ended.exit_code == 0, ended


def kill_keeper(site: Site) -> None:
    (keeper,) = site.keepers()
    os.kill(keeper, signal.SIGKILL)
    until(lambda: site.keepers() == [])


def traces(site: Site) -> list[str]:
    """Return what stands in the folder, hidden or not."""
    return sorted(path.name for path in site.folder.iterdir())


def test_a_lease_is_acquired_checked_and_released(site: Site) -> None:
    acquired = site.run("acquire", "prod", *site.at)
    (holder,) = site.holders("prod")
    checked = site.run("check")
    released = site.run("release")

    assert [acquired.exit_code, checked.exit_code, released.exit_code] == [0, 0, 0]
    assert acquired.stdout + checked.stdout + released.stdout == b""
    told = re.search(r'Acquired lock "prod" after (\d+)s: fencing token (\d+)', acquired.err)
    assert told, acquired
    # What the record tells of it: 0 where nothing else slows the claim.
    assert abs(int(told[1]) - (holder["granted_at"] - holder["asked_at"])) <= 1.5
    assert int(told[2]) == holder["token"]
    assert checked.err == f'Lock "prod" is held: fencing token {holder["token"]}\n'
    assert released.err == f'Released lock "prod" (fencing token {holder["token"]})\n'


def test_a_release_ends_the_keeper_frees_the_lock_and_leaves_no_file(site: Site) -> None:
    acquire(site)
    assert len(site.keepers()) == 1

    site.run("release")

    assert site.processes() == []
    assert site.holders("prod") == []
    assert site.bucket.record("prod")["history"][-1]["outcome"] == "released"
    assert traces(site) == []


def test_only_its_owner_may_read_the_lease_file(site: Site) -> None:
    before = os.umask(0)
    try:
        acquire(site)
    finally:
        os.umask(before)

    modes = {name: stat.S_IMODE((site.folder / name).stat().st_mode) for name in traces(site)}
    assert modes == {LEASE_FILE: 0o600, f"{LEASE_FILE}.keeper": 0o600}


def test_the_lease_file_may_lie_elsewhere(site: Site) -> None:
    (site.folder / "build").mkdir()
    acquire(site, "--lease-file", "build/lease")

    here = site.run("check")
    there = site.run("check", "--lease-file", "build/lease")
    by_variable = site.run("release", environ={"GCS_CI_LOCK_LEASE_FILE": "build/lease"})

    assert here.exit_code == 2, here
    assert "there is no lease file" in here.err
    assert there.exit_code == 0, there
    assert by_variable.exit_code == 0, by_variable
    assert site.holders("prod") == []


def test_the_keeper_shares_nothing_with_the_shell_that_started_it(site: Site) -> None:
    with site.spawn(
        "acquire",
        "prod",
        *site.at,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        pipes = (process.stdin, process.stdout, process.stderr)
        callers = {f"pipe:[{os.fstat(p.fileno()).st_ino}]" for p in pipes if p is not None}

        # Both pipes come to their end although the keeper lives on.
        process.communicate(timeout=60)

    (keeper,) = site.keepers()
    open_files = {int(fd.name): str(fd.readlink()) for fd in Path(f"/proc/{keeper}/fd").iterdir()}
    assert len(callers) == 3
    assert callers.isdisjoint(open_files.values())
    assert [open_files[fd] for fd in (0, 1, 2)] == ["/dev/null"] * 3
    assert os.getsid(keeper) == keeper
    assert str(Path(f"/proc/{keeper}/cwd").readlink()) == "/"


def test_the_keeper_renews_the_lease(site: Site) -> None:
    acquire(site, "--ttl", "30s")
    (first,) = site.holders("prod")

    until(lambda: site.holders("prod")[0]["beat"] > first["beat"])

    (renewed,) = site.holders("prod")
    assert renewed["lease"] == first["lease"]
    assert renewed["expires_at"] > first["expires_at"]


def test_a_check_after_the_keeper_was_killed_says_that_nobody_renews(site: Site) -> None:
    acquire(site)
    kill_keeper(site)

    ended = site.run("check")

    assert ended.exit_code == 76, ended
    assert 'lease on lock "prod" lost' in ended.err
    assert "its keeper is gone" in ended.err


def test_a_lease_is_released_even_after_its_keeper_was_killed(site: Site) -> None:
    acquire(site)
    kill_keeper(site)

    ended = site.run("release")

    # What `check` would have said is not hidden by the release.
    assert ended.exit_code == 76, ended
    assert "its keeper is gone" in ended.err
    assert site.holders("prod") == []
    assert traces(site) == []


def test_a_keeper_that_is_told_to_end_gives_the_lock_back(site: Site) -> None:
    acquire(site)
    (keeper,) = site.keepers()

    os.kill(keeper, signal.SIGTERM)
    until(lambda: site.keepers() == [])

    checked, released = site.run("check"), site.run("release")
    assert site.holders("prod") == []
    assert checked.exit_code == 76, checked
    assert "its keeper was stopped" in checked.err
    assert released.exit_code == 76, released
    assert "its keeper was stopped" in released.err


def test_a_lease_that_was_deleted_is_noticed_by_the_next_check(site: Site) -> None:
    acquire(site)
    site.bucket.delete_record("prod")

    ended = site.run("check")

    assert ended.exit_code == 76, ended
    assert "is not in the record any more" in ended.err


def test_a_release_of_a_lost_lease_leaves_the_others_lease_alone(
    site: Site, tmp_path_factory: pytest.TempPathFactory
) -> None:
    acquire(site)
    kill_keeper(site)
    site.bucket.delete_record("prod")
    with Site(site.bucket, tmp_path_factory.mktemp("other")) as other:
        acquire(other)
        before = site.stored("prod")

        ended = site.run("release")

        assert ended.exit_code == 76, ended
        assert 'lease on lock "prod" lost' in ended.err
        assert site.stored("prod") == before
        assert other.run("check").exit_code == 0
    assert traces(site) == []


def test_a_release_without_a_lease_is_green_and_says_so(site: Site) -> None:
    ended = site.run("release")

    assert ended.exit_code == 0, ended
    assert ended.err == f"Nothing to release: there is no lease file {site.lease_file}\n"


def test_a_second_release_finds_nothing_to_do(site: Site) -> None:
    acquire(site)

    first, second = site.run("release"), site.run("release")

    assert [first.exit_code, second.exit_code] == [0, 0]
    assert "Nothing to release" in second.err
    assert len(site.bucket.record("prod")["history"]) == 1


def test_a_held_lock_that_is_not_waited_for_leaves_no_lease_file(site: Site) -> None:
    site.start("hold", "prod", *site.at, "--reason", "release 4.2")
    until(lambda: site.holders("prod"))
    before = traces(site)

    ended = site.run("acquire", "prod", *site.at, "--wait", "0")

    assert ended.exit_code == 75, ended
    assert "release 4.2" in ended.err
    assert traces(site) == before
    assert site.keepers() == []
    assert site.bucket.tickets("prod") == []


def test_a_signal_while_acquire_waits_leaves_nothing(site: Site) -> None:
    site.hold("prod")
    waiting = site.start("acquire", "prod", *site.at)
    until(lambda: len(site.bucket.tickets("prod")) == 1)

    waiting.send(signal.SIGTERM)
    ended = waiting.ended()

    assert ended.exit_code == 143, ended
    assert not site.lease_file.exists()
    assert site.keepers() == []
    assert site.bucket.tickets("prod") == []


def test_a_signal_while_acquire_starts_the_keeper_gives_the_lock_back(site: Site) -> None:
    starting = site.start("acquire", "prod", *site.at)
    until(lambda: "Acquired" in starting.err)

    starting.send(signal.SIGTERM)
    ended = starting.ended()

    assert ended.exit_code == 143, ended
    assert not site.lease_file.exists()
    assert site.keepers() == []
    assert site.holders("prod") == []


def test_a_lease_file_in_use_is_not_overwritten(site: Site) -> None:
    acquire(site)
    before = site.lease_file.read_bytes()

    ended = site.run("acquire", "staging", *site.at)

    assert ended.exit_code == 2, ended
    assert "release` first, or pass another --lease-file" in ended.err
    assert site.lease_file.read_bytes() == before
    assert site.bucket.body("staging") is None
    assert site.run("check").exit_code == 0


def test_acquire_prints_its_lease_as_one_document(site: Site) -> None:
    ended = site.run("acquire", "prod", *site.at, "--json")

    (holder,) = site.holders("prod")
    assert ended.exit_code == 0, ended
    assert ended.document.keys() == {"name", "lease", "token", "waited_s", "expires_at"}
    assert ended.document["name"] == "prod"
    assert ended.document["lease"] == holder["lease"]
    assert ended.document["token"] == holder["token"]
    assert ended.document["expires_at"] == holder["expires_at"]
    assert 0 <= ended.document["waited_s"] < 10


def test_a_refusal_prints_no_document(site: Site) -> None:
    site.hold("prod")

    ended = site.run("acquire", "prod", *site.at, "--json", "--wait", "0")

    assert (ended.exit_code, ended.stdout) == (75, b"")


@pytest.mark.parametrize("command", ["check", "release"])
@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"",
        lambda _: b"\xff\xfe::error::x\n",
        lambda text: text[: len(text) // 2],
        lambda text: text.replace(b'"schema": 1', b'"schema": 2'),
        lambda text: text.replace(b"gs://acme-locks/", b"gs://acme-locks/../"),
        lambda text: text.replace(b'"ttl_s": 120.0', b'"ttl_s": 1e300'),
        lambda _: b"[" * 60_000,
    ],
    ids=["empty", "binary", "half", "schema 2", "other bucket", "ttl", "deep"],
)
def test_a_damaged_lease_file_is_refused(
    site: Site, command: str, damage: Callable[[bytes], bytes]
) -> None:
    site.lease_file.write_bytes(damage(SOUND))
    site.lease_file.chmod(0o600)
    before = traces(site), site.lease_file.read_bytes()

    ended = site.run(command)

    assert ended.exit_code == 2, ended
    (line,) = ended.err.splitlines()
    assert line.startswith(f"gcs-ci-lock: lease file {site.lease_file} does not describe a lease")
    assert "::error::" not in line
    assert (traces(site), site.lease_file.read_bytes()) == before


SOUND = json.dumps(
    {
        "schema": 1,
        "bucket": "gs://acme-locks/locks",
        "name": "prod",
        "lease": "abc",
        "token": 42,
        "ttl_s": 120.0,
        "max_hold_s": 600.0,
        "keeper": "process",
        "waited_s": 0.0,
        "granted_at": 0.0,
        "on_lost": "fail",
        "endpoint": "",
    }
).encode()


def test_a_lease_file_that_is_open_to_others_is_refused(site: Site) -> None:
    # As a checkout would write one, with an endpoint of somebody else's choice.
    site.lease_file.write_bytes(SOUND)
    site.lease_file.chmod(0o644)

    for command in ("check", "release", "acquire"):
        ended = site.run(command, *(("prod", *site.at) if command == "acquire" else ()))

        assert ended.exit_code == 2, ended
        assert "is readable by others or owned by another user" in ended.err
    assert site.lease_file.read_bytes() == SOUND


@pytest.mark.parametrize("words", [("prod",), ("A b",), ("prod", "--bucket", "no-such-bucket")])
def test_a_file_that_is_no_lease_file_is_never_touched(site: Site, words: tuple[str, ...]) -> None:
    precious = site.folder / "precious.txt"
    precious.write_text("precious")
    precious.chmod(0o600)

    ended = site.run("acquire", words[0], *site.at, *words[1:], "--lease-file", str(precious))

    assert ended.exit_code == 2, ended
    assert precious.read_text() == "precious"
    assert site.holders("prod") == []


def test_two_never_acquire_for_one_lease_file(site: Site) -> None:
    site.hold("prod")
    waiting = site.start("acquire", "prod", *site.at)
    until(lambda: "Waiting" in waiting.err)

    second = site.run("acquire", "staging", *site.at)

    assert second.exit_code == 2, second
    assert "is in use by another gcs-ci-lock" in second.err
    assert site.holders("staging") == []


def test_a_release_ends_an_acquire_that_still_waits(site: Site) -> None:
    site.hold("prod")
    waiting = site.start("acquire", "prod", *site.at)
    until(lambda: site.bucket.tickets("prod") != [])

    checked = site.run("check")
    released = site.run("release")

    assert checked.exit_code == 75, checked
    assert "is not acquired yet" in checked.err
    assert released.exit_code == 0, released
    assert waiting.ended().exit_code == 143
    assert site.bucket.tickets("prod") == []
    assert not site.lease_file.exists()


def test_the_lease_of_a_killed_keeper_is_released_before_another_is_acquired(site: Site) -> None:
    acquire(site)
    kill_keeper(site)

    ended = site.run("acquire", "staging", *site.at)

    assert ended.exit_code == 0, ended
    assert 'Released the earlier lease of lock "prod"' in ended.err
    assert site.holders("prod") == []
    assert len(site.holders("staging")) == 1


def test_a_pipe_in_place_of_the_lease_file_hangs_nobody(site: Site) -> None:
    os.mkfifo(site.lease_file)

    ended = site.run("check")

    assert ended.exit_code == 2, ended
    assert "it is not a regular file" in ended.err


def test_a_document_that_cannot_be_printed_gives_the_lock_back(site: Site) -> None:
    command = f"exec gcs-ci-lock acquire prod {' '.join(site.at)} --json"

    ended = site.shell(f"{command} >/dev/full")

    assert ended.exit_code == 1, ended
    assert "cannot write the lease to standard output" in ended.err
    assert site.holders("prod") == []
    assert site.keepers() == []
