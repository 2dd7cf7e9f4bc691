"""Google credentials: chosen once, pinned by their content, loaded wherever they are needed."""

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
from gcs_ci_lock.storage.federation import Federation, federated
from gcs_ci_lock.storage.pinned import AMBIENT, TOKEN_KEY, PinnedCredentials
from gcs_ci_lock.system.private_file import open_regular

SCOPE: Final = "https://www.googleapis.com/auth/devstorage.read_write"
MOST_BYTES: Final = 256 * 1024
FILE_VARIABLE: Final = "GOOGLE_APPLICATION_CREDENTIALS"
_T = TypeVar("_T")
_EXPECTED: Final = (
    "Expected those of google-github-actions/auth in a workflow, "
    "`gcloud auth application-default login` here, or GOOGLE_APPLICATION_CREDENTIALS=FILE"
)


def resolve_credentials(
    environ: Mapping[str, str], *, credentials_json: str = "", federation: Federation | None = None
) -> PinnedCredentials:
    """Return the credentials by their content: those given, else the file's, else the machine's.

    Args:
        environ: names the file, and where GitHub gives tokens.
        credentials_json: a credential configuration, or "".
        federation: a workload identity, or None.

    Raises:
        UsageError: what is given cannot be used.
        Denied: the file cannot.
    """
    if federation and (federation.provider or federation.service_account):
        if credentials_json:
            message = (
                "credentials-json and workload-identity-provider are both given: expected one of "
                "them"
            )
            raise UsageError(message)
        return PinnedCredentials(info=federated(federation, environ))
    if credentials_json:
        given = _typed(PinnedCredentials.from_json(credentials_json, source="credentials-json"))
        return PinnedCredentials(info=_with_token(given))
    named = _named(environ)
    # No keeper elsewhere sees the file of a token: it is read now.
    return AMBIENT if named is None else PinnedCredentials(info=_with_token(named))


# What the library raises at configurations of an unknown shape.
_UNUSABLE = (
    auth_errors.GoogleAuthError,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    OSError,
)


def load_named(environ: Mapping[str, str]) -> auth_credentials.Credentials:
    """Return the credentials of this process: those of a file, else the machine's.

    Raises:
        Denied: there are none, or they cannot be used.
    """
    named = _named(environ)
    return load(AMBIENT if named is None else PinnedCredentials(info=named))


def load(pinned: PinnedCredentials) -> auth_credentials.Credentials:
    """Return credentials that renew their own tokens.

    Raises:
        Denied: there are none, or they cannot be used.
    """
    try:
        with warnings.catch_warnings():
            # It warns of configurations from strangers: these are the user's own.
            warnings.simplefilter("ignore")
            return _loaded(pinned.info)
    except _UNUSABLE as error:
        # Its text can show what is in the configuration.
        cause = type(error).__name__ if pinned.info is not None else printable(str(error))
        message = f"there are no usable Google credentials ({cause}). {_EXPECTED}"
        raise Denied(message) from None


def _loaded(info: Mapping[str, Any] | None) -> auth_credentials.Credentials:
    if info is None:
        return _of_machine()
    source = info.get("credential_source")
    if info["type"] == "external_account" and isinstance(source, Mapping):
        if TOKEN_KEY in source:
            fields = {k: v for k, v in info.items() if k not in ("type", "credential_source")}
            return identity_pool.Credentials(
                subject_token_supplier=_Known(source[TOKEN_KEY]), scopes=[SCOPE], **fields
            )
        if "url" in source or "file" in source:
            # Loaded the general way it would ask two servers for a project that nobody needs.
            known = identity_pool.Credentials.from_info(dict(info), scopes=[SCOPE])
            return cast("auth_credentials.Credentials", known)
    loaded, _ = google.auth.load_credentials_from_dict(dict(info), scopes=[SCOPE])
    return cast("auth_credentials.Credentials", loaded)


def _of_machine() -> auth_credentials.Credentials:
    # Not google.auth.default: by now a later step of the job may have named a file of its own.
    request = google.auth.transport.requests.Request()
    if not _metadata.is_on_gce(request):
        message = "no file is named, and there is no metadata server"
        raise auth_errors.DefaultCredentialsError(message)
    return compute_engine.Credentials(scopes=[SCOPE])


class _Known(identity_pool.SubjectTokenSupplier):
    """Hands out one token, for as long as it is good."""

    def __init__(self, token: str) -> None:
        self._token = token

    def get_subject_token(self, context: object, request: object) -> str:  # noqa: ARG002
        return self._token


def _named(environ: Mapping[str, str]) -> Mapping[str, Any] | None:
    """Return the configuration in the file that is named, else in gcloud's own, else None."""
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
    source = info.get("credential_source")
    if not isinstance(source, Mapping) or not isinstance(source.get("file"), str):
        return info
    return {**info, "credential_source": {TOKEN_KEY: _readable(lambda: _subject(source))}}


def _readable(read: Callable[[], _T]) -> _T:
    try:
        return read()
    except (OSError, UsageError, ValueError) as error:
        said = f"{error.strerror}: {error.filename}" if isinstance(error, OSError) else str(error)
        message = f"there are no usable Google credentials ({printable(said)}). {_EXPECTED}"
        raise Denied(message) from None


def _subject(source: Mapping[str, Any]) -> str:
    text = _text_of(Path(source["file"]))
    form = source.get("format")
    if not isinstance(form, Mapping) or form.get("type") != "json":
        return text.strip()
    document = PinnedCredentials.from_json(text, source="the subject token's file").info or {}
    return str(document.get(str(form.get("subject_token_field_name")), ""))


def _text_of(path: Path) -> str:
    # Opening a pipe would wait for somebody at its other end.
    with os.fdopen(open_regular(path, os.O_RDONLY), "rb") as file:
        body = file.read(MOST_BYTES + 1)
    if len(body) > MOST_BYTES:
        message = f"{path} is larger than {MOST_BYTES} bytes"
        raise ValueError(message)
    return body.decode(errors="replace")


def _typed(pinned: PinnedCredentials) -> Mapping[str, Any]:
    info = pinned.info or {}
    if not isinstance(info.get("type"), str):
        message = (
            'credentials without a "type" cannot be used: expected the JSON of a service account '
            "key or of a workload identity federation"
        )
        raise UsageError(message)
    return info
