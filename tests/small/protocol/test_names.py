"""What locks, buckets and prefixes may be called."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gcs_ci_lock.errors import UsageError
from gcs_ci_lock.protocol.names import Location, LockPaths, validate_name


@pytest.mark.example
@pytest.mark.parametrize(
    "name", ["a", "prod", "acme/api/prod", "x" * 64, "/".join("abcdefgh"), "...", "a.b_c-d", "0"]
)
def test_a_good_name_is_taken_as_it_is(name: str) -> None:
    assert validate_name(name) == name


@pytest.mark.example
@pytest.mark.parametrize(
    "name",
    [
        "",
        "/",
        "/a",
        "a/",
        "a//b",
        "../x",
        "a/..",
        ".",
        "queue",
        "a/queue/b",
        "A b",
        "Prod",
        "x" * 65,
        "x" * 600,
        "/".join("abcdefghi"),
        "prod\n",
        "pröd",
        "a\x00b",
        "a b",
        "a%2fb",
    ],
)
def test_a_bad_name_is_refused_and_shown(name: str) -> None:
    with pytest.raises(UsageError) as refusal:
        validate_name(name)

    message = str(refusal.value)
    assert message.startswith("lock name ")
    assert "expected" in message
    assert "\n" not in message


@pytest.mark.property
@given(st.text(max_size=80))
def test_a_name_is_never_rewritten(name: str) -> None:
    with contextlib.suppress(UsageError):
        assert validate_name(name) == name


@pytest.mark.example
@pytest.mark.parametrize(
    ("text", "bucket", "prefix"),
    [
        ("acme-locks", "acme-locks", "locks"),
        ("gs://acme-locks", "acme-locks", "locks"),
        ("gs://acme-locks/", "acme-locks", "locks"),
        ("gs://acme-locks/team/a", "acme-locks", "team/a"),
        ("acme-locks/Team/", "acme-locks", "Team"),
        (" acme-locks ", "acme-locks", "locks"),
        ("abc", "abc", "locks"),
        ("acme.example.com", "acme.example.com", "locks"),
    ],
)
def test_a_bucket_is_read_with_its_prefix(text: str, bucket: str, prefix: str) -> None:
    assert Location.parse(text) == Location(bucket=bucket, prefix=prefix)


@pytest.mark.example
@pytest.mark.parametrize(
    "text",
    [
        "",
        "ab",
        "Acme",
        "gs://",
        "s3://acme-locks",
        "https://storage.googleapis.com/acme-locks",
        "acme-locks/../other",
        "acme-locks/a//b",
        "acme-locks/./a",
        "acme locks",
        "-acme",
        "acme-",
        "x" * 223,
        "acme-locks/" + "/".join("abcdefghi"),
        "acme-locks/" + "x" * 65,
        "acme-locks/a\nb",
    ],
)
def test_a_bad_bucket_is_refused_and_shown(text: str) -> None:
    with pytest.raises(UsageError, match=r"^bucket .*expected BUCKET or gs://BUCKET/PREFIX"):
        Location.parse(text)


@pytest.mark.example
def test_a_lock_has_its_objects_below_its_name() -> None:
    paths = LockPaths(location=Location.parse("gs://acme-locks/team"), name="api/prod")

    assert paths.record == "team/api/prod/lock.json"
    assert paths.ticket("k3v9") == "team/api/prod/queue/k3v9"
    assert paths.uri == "gs://acme-locks/team/api/prod"
    assert paths.record_uri == "gs://acme-locks/team/api/prod/lock.json"


@pytest.mark.example
def test_a_wrong_name_is_told_what_a_name_is() -> None:
    with pytest.raises(UsageError) as refusal:
        validate_name("A")

    assert str(refusal.value) == (
        'lock name "A" is not allowed: expected 1 to 8 segments joined by "/", each of 1 to 64 of '
        'a-z 0-9 . _ - and none of them ".", ".." or "queue", for example "prod" or '
        '"acme/api/prod"'
    )


@pytest.mark.example
def test_a_wrong_bucket_is_told_what_a_bucket_is() -> None:
    with pytest.raises(UsageError) as refusal:
        Location.parse("A")

    assert str(refusal.value) == (
        'bucket "A" is not valid: expected BUCKET or gs://BUCKET/PREFIX, for example '
        '"acme-locks" or "gs://acme-locks/locks"'
    )


@pytest.mark.example
def test_only_slashes_are_taken_from_the_end_of_a_prefix() -> None:
    assert Location.parse("acme-locks/TeamX//").prefix == "TeamX"
