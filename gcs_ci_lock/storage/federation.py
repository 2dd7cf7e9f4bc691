"""Workload identity federation with the job's own ID token: no other action, and no key.

Source: https://google.aip.dev/auth/4117 (external accounts) and
https://docs.github.com/en/actions/reference/security/oidc
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from gcs_ci_lock.errors import UsageError
from gcs_ci_lock.protocol.text import printable
from gcs_ci_lock.storage.pinned import TOKEN_KEY

_PROVIDER: Final = re.compile(
    r"projects/\d+/locations/global/workloadIdentityPools/[a-z0-9-]{1,64}/providers/[a-z0-9-]{1,64}"
)
_ACCOUNT: Final = re.compile(r"[A-Za-z0-9._-]+@[A-Za-z0-9.-]+")
_JWT: Final = "urn:ietf:params:oauth:token-type:jwt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Federation:
    """A workload identity pool provider, and who to be there.

    Attributes:
        provider: projects/N/locations/global/workloadIdentityPools/P/providers/Q.
        service_account: an account to impersonate, or "".
        id_token: the job's ID token, or "": GitHub is asked for one when it is needed.
    """

    provider: str
    service_account: str = ""
    id_token: str = ""


def federated(federation: Federation, environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the credential configuration that google-github-actions/auth would write.

    Args:
        federation: the workload identity.
        environ: holds GitHub's access to ID tokens.

    Raises:
        UsageError: a name is malformed, or the job has no access to an ID token.
    """
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
            else _github_source(provider, environ)
        ),
    }
    if account:
        info["service_account_impersonation_url"] = (
            f"https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/{account}"
            ":generateAccessToken"
        )
    return info


def _github_source(provider: str, environ: Mapping[str, str]) -> dict[str, Any]:
    url = environ.get("ACTIONS_ID_TOKEN_REQUEST_URL", "")
    token = environ.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "")
    if not url or not token:
        message = (
            "workload-identity-provider needs an ID token of this job: add `permissions: id-token: "
            "write` to the workflow, or on GitLab set GCS_CI_LOCK_ID_TOKEN by `id_tokens`"
        )
        raise UsageError(message)
    scheme, host, path, query, _ = urlsplit(url)
    wanted = {**dict(parse_qsl(query)), "audience": f"https://iam.googleapis.com/{provider}"}
    return {
        "url": urlunsplit((scheme, host, path, urlencode(wanted), "")),
        "headers": {"Authorization": f"Bearer {token}"},
        "format": {"type": "json", "subject_token_field_name": "value"},
    }
