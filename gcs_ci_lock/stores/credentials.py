"""Google credentials: chosen once, pinned by their content, loaded wherever they are needed.

Source: https://google.aip.dev/auth/4117 (external accounts) and
https://docs.github.com/en/actions/reference/security/oidc
"""

import logging
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import google.auth
from google.auth import credentials as auth_credentials
from google.auth import exceptions as auth_errors
from google.auth import identity_pool

from gcs_ci_lock.core.pinned import AMBIENT, TOKEN_KEY, Pinned
from gcs_ci_lock.core.text import printable
from gcs_ci_lock.errors import Denied, UsageError

SCOPE: Final = "https://www.googleapis.com/auth/devstorage.read_write"
MOST_BYTES: Final = 256 * 1024
FILE_VARIABLE: Final = "GOOGLE_APPLICATION_CREDENTIALS"
_PROVIDER: Final = re.compile(
    r"projects/\d+/locations/global/workloadIdentityPools/[a-z0-9-]{1,64}/providers/[a-z0-9-]{1,64}"
)
_ACCOUNT: Final = re.compile(r"[A-Za-z0-9._-]+@[A-Za-z0-9.-]+")
_JWT: Final = "urn:ietf:params:oauth:token-type:jwt"
_EXPECTED: Final = (
    "Expected those of google-github-actions/auth in a workflow, "
    "`gcloud auth application-default login` here, or GOOGLE_APPLICATION_CREDENTIALS=FILE"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Federation:
    """A workload identity that is used directly.

    Attributes:
        provider: projects/N/locations/global/workloadIdentityPools/P/providers/Q.
        service_account: an account to act as, or "".
        id_token: the job's own token, or "": it is asked of GitHub.
    """

    provider: str
    service_account: str = ""
    id_token: str = ""


def pin(
    environ: Mapping[str, str], *, credentials_json: str = "", federation: Federation | None = None
) -> Pinned:
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
        return Pinned(info=_federated(federation, environ))
    if credentials_json:
        return Pinned(info=_typed(Pinned.decode(credentials_json, source="credentials-json")))
    if path := environ.get(FILE_VARIABLE):
        return Pinned(info=_of_file(Path(path)))
    return AMBIENT


def load(pinned: Pinned) -> auth_credentials.Credentials:
    """Return credentials that renew their own tokens.

    Raises:
        Denied: there are none, or they cannot be used.
    """
    # It warns that there is no project; none is needed.
    logging.getLogger("google.auth._default").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # It warns of configurations from strangers: these are the user's own.
            warnings.simplefilter("ignore")
            return _loaded(pinned.info)
    except (auth_errors.GoogleAuthError, ValueError, TypeError, KeyError, OSError) as error:
        # Its text can show what is in the configuration.
        cause = type(error).__name__ if pinned.info is not None else printable(str(error))
        message = f"there are no usable Google credentials ({cause}). {_EXPECTED}"
        raise Denied(message) from None


def _loaded(info: Mapping[str, Any] | None) -> auth_credentials.Credentials:
    if info is None:
        credentials, _ = google.auth.default(scopes=[SCOPE])
        return credentials
    source = info.get("credential_source")
    if info["type"] == "external_account" and isinstance(source, Mapping):
        if TOKEN_KEY in source:
            fields = {k: v for k, v in info.items() if k not in ("type", "credential_source")}
            return identity_pool.Credentials(
                subject_token_supplier=_Known(source[TOKEN_KEY]), scopes=[SCOPE], **fields
            )
        if "url" in source:
            # Loaded the general way it would ask two servers for a project that nobody needs.
            known = identity_pool.Credentials.from_info(dict(info), scopes=[SCOPE])
            return cast("auth_credentials.Credentials", known)
    loaded, _ = google.auth.load_credentials_from_dict(dict(info), scopes=[SCOPE])
    return cast("auth_credentials.Credentials", loaded)


class _Known(identity_pool.SubjectTokenSupplier):
    """Hands out one token, for as long as it is good."""

    def __init__(self, token: str) -> None:
        self._token = token

    def get_subject_token(self, context: object, request: object) -> str:  # noqa: ARG002
        return self._token


def _federated(federation: Federation, environ: Mapping[str, str]) -> dict[str, Any]:
    provider, account = federation.provider, federation.service_account
    if not _PROVIDER.fullmatch(provider):
        message = (
            f'workload-identity-provider "{printable(provider)}" is not valid: expected '
            "projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER"
        )
        raise UsageError(message)
    if account and not _ACCOUNT.fullmatch(account):
        message = f'service-account "{printable(account)}" is not valid: expected NAME@DOMAIN'
        raise UsageError(message)
    info: dict[str, Any] = {
        "type": "external_account",
        "audience": f"//iam.googleapis.com/{provider}",
        "subject_token_type": _JWT,
        "token_url": "https://sts.googleapis.com/v1/token",
        "credential_source": (
            {TOKEN_KEY: federation.id_token}
            if federation.id_token
            else _asked_of_github(provider, environ)
        ),
    }
    if account:
        info["service_account_impersonation_url"] = (
            f"https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/{account}"
            ":generateAccessToken"
        )
    return info


def _asked_of_github(provider: str, environ: Mapping[str, str]) -> dict[str, Any]:
    url = environ.get("ACTIONS_ID_TOKEN_REQUEST_URL", "")
    token = environ.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "")
    if not url or not token:
        message = (
            "workload-identity-provider needs a token of this job: expected `permissions: "
            "id-token: write` in the workflow, or on GitLab the variable GCS_CI_LOCK_ID_TOKEN "
            "from `id_tokens`"
        )
        raise UsageError(message)
    scheme, host, path, query, _ = urlsplit(url)
    asked = {**dict(parse_qsl(query)), "audience": f"https://iam.googleapis.com/{provider}"}
    return {
        "url": urlunsplit((scheme, host, path, urlencode(asked), "")),
        "headers": {"Authorization": f"Bearer {token}"},
        "format": {"type": "json", "subject_token_field_name": "value"},
    }


def _of_file(path: Path) -> Mapping[str, Any]:
    try:
        text = _text_of(path)
        info = dict(_typed(Pinned.decode(text, source=f"{FILE_VARIABLE} {path}")))
        source = info.get("credential_source")
        # No keeper elsewhere sees that file: its token is read now.
        if isinstance(source, Mapping) and isinstance(source.get("file"), str):
            info["credential_source"] = {TOKEN_KEY: _subject(source)}
    except (OSError, UsageError, ValueError) as error:
        said = f"{error.strerror}: {path}" if isinstance(error, OSError) else error
        message = f"there are no usable Google credentials ({printable(str(said))}). {_EXPECTED}"
        raise Denied(message) from None
    return info


def _subject(source: Mapping[str, Any]) -> str:
    text = _text_of(Path(source["file"]))
    form = source.get("format")
    if not isinstance(form, Mapping) or form.get("type") != "json":
        return text.strip()
    document = Pinned.decode(text, source="the subject token's file").info or {}
    return str(document.get(str(form.get("subject_token_field_name")), ""))


def _text_of(path: Path) -> str:
    with path.open("rb") as file:
        body = file.read(MOST_BYTES + 1)
    if len(body) > MOST_BYTES:
        message = f"{path} is larger than {MOST_BYTES} bytes"
        raise ValueError(message)
    return body.decode(errors="replace")


def _typed(pinned: Pinned) -> Mapping[str, Any]:
    info = pinned.info or {}
    if not isinstance(info.get("type"), str):
        message = (
            'credentials without a "type" cannot be used: expected the JSON of a service account '
            "key or of a workload identity federation"
        )
        raise UsageError(message)
    return info
