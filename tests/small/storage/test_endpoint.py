"""Which storage server is spoken to, and whether credentials may go there."""

import pytest

from gcs_ci_lock.errors import UsageError
from gcs_ci_lock.storage.endpoint import Endpoint

pytestmark = pytest.mark.example

EMULATOR = {"STORAGE_EMULATOR_HOST": "http://127.0.0.1:4443"}


@pytest.mark.parametrize("given", [None, ""])
def test_without_an_endpoint_it_is_google_with_credentials(given: str | None) -> None:
    found = Endpoint.choose(given, {})

    assert (found.url, found.anonymous, found.loopback) == ("", False, False)


@pytest.mark.parametrize(
    "given",
    ["http://127.0.0.1:4443", "http://localhost:1", "http://[::1]:9", "http://127.9.9.9/"],
)
def test_plain_http_on_this_machine_goes_without_credentials(given: str) -> None:
    found = Endpoint.choose(given, {})

    assert (found.url, found.anonymous, found.loopback) == (given.rstrip("/"), True, True)


def test_the_highest_port_there_is_can_be_given() -> None:
    assert Endpoint.choose("http://127.0.0.1:65535", {}).url == "http://127.0.0.1:65535"


@pytest.mark.parametrize(
    ("given", "loopback"), [("https://storage.example.com", False), ("https://localhost:1", True)]
)
def test_https_goes_with_credentials(given: str, *, loopback: bool) -> None:
    found = Endpoint.choose(given, {})

    assert (found.url, found.anonymous, found.loopback) == (given, False, loopback)


@pytest.mark.parametrize(
    "given",
    [
        "http://192.0.2.1",
        "http://storage.example.com",
        "http://127.0.0.1.example.com",
        "http://localhost.example.com",
        "http://0.0.0.0:4443",
        "http://169.254.169.254",
    ],
)
def test_plain_http_never_leaves_this_machine(given: str) -> None:
    with pytest.raises(UsageError, match="plain http to another machine: expected https"):
        Endpoint.choose(given, {})


@pytest.mark.parametrize(
    "given",
    [
        "ftp://x",
        "http://",
        "https://h/path",
        "https://u@h",
        "https://h?x=1",
        "https://h#x",
        "http://[::1",
        "http://127.0.0.1:65536",
        "http://127.0.0.1:x",
        "127.0.0.1:4443",
        "\n",
    ],
)
def test_what_is_no_address_of_a_server_is_refused(given: str) -> None:
    with pytest.raises(UsageError, match=r"is not valid: expected a URL like https://HOST"):
        Endpoint.choose(given, {})


def test_an_emulator_that_is_only_in_the_environment_is_refused() -> None:
    with pytest.raises(UsageError, match=r"STORAGE_EMULATOR_HOST is set .* --endpoint"):
        Endpoint.choose(None, EMULATOR)


def test_an_emulator_in_the_environment_does_not_matter_where_an_endpoint_is_given() -> None:
    assert Endpoint.choose("https://storage.example.com", EMULATOR).anonymous is False


@pytest.mark.parametrize("given", ["https://:secret@h", "https://@h", "http://:p@127.0.0.1"])
def test_an_address_with_a_user_is_refused_even_without_a_name(given: str) -> None:
    with pytest.raises(UsageError, match="is not valid"):
        Endpoint.choose(given, {})
