"""Google credentials: pinned by their content in one process, loaded in another."""

import os
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import google.auth
import google.auth.transport.requests
from google.auth import compute_engine, identity_pool
from google.auth import credentials as auth_credentials
from google.auth import exceptions as auth_errors
from google.auth.compute_engine import _metadata

from gcs_ci_lock.errors import Denied, UsageError
from gcs_ci_lock.protocol.text import printable
from gcs_ci_lock.storage.pinned import AMBIENT, TOKEN_KEY, PinnedCredentials
from gcs_ci_lock.system.private_file import open_regular

SCOPE: Final = "https://www.googleapis.com/auth/devstorage.read_write"
MAX_BYTES: Final = 256 * 1024
FILE_VARIABLE: Final = "GOOGLE_APPLICATION_CREDENTIALS"
_T = TypeVar("_T")
_EXPECTED: Final = (
    "Use google-github-actions/auth in a workflow, "
    "`gcloud auth application-default login` here, or GOOGLE_APPLICATION_CREDENTIALS=FILE"
)


def pin_json(text: str) -> PinnedCredentials:
    """Return credentials that a user gave as JSON.

    Raises:
        UsageError: the text is not a credential configuration.
        Denied: the file of its subject token cannot be read.
    """
    given = _typed(PinnedCredentials.from_json(text, source="credentials-json"))
    return PinnedCredentials(info=_with_token(given))


def pin_named(environ: Mapping[str, str]) -> PinnedCredentials:
    """Return the credentials in the file that the environment names, else the machine's.

    Raises:
        Denied: the file is unusable.
    """
    named = _named(environ)
    return AMBIENT if named is None else PinnedCredentials(info=_with_token(named))


# What the library raises for configurations of an unknown shape.
_UNUSABLE = (
    auth_errors.GoogleAuthError,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    OSError,
)


def load_named(environ: Mapping[str, str]) -> auth_credentials.Credentials:
    """Return the credentials in the file that the environment names, else the machine's.

    A subject token in a file is read again for every exchange.

    Raises:
        Denied: there are no usable credentials.
    """
    named = _named(environ)
    return load(AMBIENT if named is None else PinnedCredentials(info=named))


def load(pinned: PinnedCredentials) -> auth_credentials.Credentials:
    """Return credentials that refresh their own tokens.

    Raises:
        Denied: there are no usable credentials.
    """
    try:
        with warnings.catch_warnings():
            # The library warns about untrusted configurations: these are the user's own.
            warnings.simplefilter("ignore")
            return _loaded(pinned.info)
    except _UNUSABLE as error:
        # The error's text can show secrets of the configuration.
        cause = type(error).__name__ if pinned.info is not None else printable(str(error))
        message = f"there are no usable Google credentials ({cause}). {_EXPECTED}"
        raise Denied(message) from None


def _loaded(info: Mapping[str, Any] | None) -> auth_credentials.Credentials:
    if info is None:
        return _machine_credentials()
    source = info.get("credential_source")
    if info["type"] == "external_account" and isinstance(source, Mapping):
        if TOKEN_KEY in source:
            fields = {k: v for k, v in info.items() if k not in ("type", "credential_source")}
            return identity_pool.Credentials(
                subject_token_supplier=_KnownToken(source[TOKEN_KEY]), scopes=[SCOPE], **fields
            )
        if "url" in source or "file" in source:
            # load_credentials_from_dict would ask two servers for a project, which is not needed.
            known = identity_pool.Credentials.from_info(dict(info), scopes=[SCOPE])
            return cast("auth_credentials.Credentials", known)
    loaded, _ = google.auth.load_credentials_from_dict(dict(info), scopes=[SCOPE])
    return cast("auth_credentials.Credentials", loaded)


def _machine_credentials() -> auth_credentials.Credentials:
    # Not google.auth.default: a later step of the job may have set another file by now.
    request = google.auth.transport.requests.Request()
    if not _metadata.is_on_gce(request):
        message = "no credentials file is set, and there is no metadata server"
        raise auth_errors.DefaultCredentialsError(message)
    return compute_engine.Credentials(scopes=[SCOPE])


class _KnownToken(identity_pool.SubjectTokenSupplier):
    """Supplies one known subject token, until it expires."""

    def __init__(self, token: str) -> None:
        self._token = token

    def get_subject_token(self, context: object, request: object) -> str:  # noqa: ARG002
        return self._token


def _named(environ: Mapping[str, str]) -> Mapping[str, Any] | None:
    """Return the configuration in the file that is named, else in gcloud's own file, else None."""
    if path := environ.get(FILE_VARIABLE):
        return _readable(
            lambda: _typed(PinnedCredentials.from_json(_text_of(Path(path)), source=path))
        )
    home = Path(environ.get("HOME", "/")) / ".config" / "gcloud"
    own = Path(environ.get("CLOUDSDK_CONFIG") or home) / "application_default_credentials.json"
    if not own.is_file():
        return None
    return _readable(lambda: _typed(PinnedCredentials.from_json(_text_of(own), source=str(own))))


def _with_token(info: Mapping[str, Any]) -> Mapping[str, Any]:
    """Replace a subject token's file by the token: a keeper elsewhere cannot read the file."""
    source = info.get("credential_source")
    if not isinstance(source, Mapping) or not isinstance(source.get("file"), str):
        return info
    return {**info, "credential_source": {TOKEN_KEY: _readable(lambda: _subject(source))}}


def _readable(read: Callable[[], _T]) -> _T:
    try:
        return read()
    except (OSError, UsageError, ValueError) as error:
        reason = f"{error.strerror}: {error.filename}" if isinstance(error, OSError) else str(error)
        message = f"there are no usable Google credentials ({printable(reason)}). {_EXPECTED}"
        raise Denied(message) from None


def _subject(source: Mapping[str, Any]) -> str:
    text = _text_of(Path(source["file"]))
    form = source.get("format")
    if not isinstance(form, Mapping) or form.get("type") != "json":
        return text.strip()
    document = PinnedCredentials.from_json(text, source="the subject token's file").info or {}
    return str(document.get(str(form.get("subject_token_field_name")), ""))


def _text_of(path: Path) -> str:
    # Not open(): it would wait for the other end of a pipe.
    with os.fdopen(open_regular(path, os.O_RDONLY), "rb") as file:
        body = file.read(MAX_BYTES + 1)
    if len(body) > MAX_BYTES:
        message = f"{path} is larger than {MAX_BYTES} bytes"
        raise ValueError(message)
    return body.decode(errors="replace")


def _typed(pinned: PinnedCredentials) -> Mapping[str, Any]:
    info = pinned.info or {}
    if not isinstance(info.get("type"), str):
        message = (
            'the credentials have no "type": expected the JSON of a service account key or of a '
            "workload identity federation"
        )
        raise UsageError(message)
    return info
