"""Google's token exchange and GitHub's OIDC endpoint, on this machine."""

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.support.local_server import Exchange, LocalServer

# google-auth renews a token that is good for less than 225 s before each use.
AT_ONCE = 60
REQUEST_TOKEN = "canary-request-token"


@dataclass
class FakeSts(LocalServer):
    """Gives `jwt-1`, `jwt-2` ... to jobs, and `access-1`, `access-2` ... for them.

    Attributes:
        status: of the exchange.
        asked: queries and Authorization headers of the job's requests.
        exchanged: the forms of the exchange.
        impersonated: paths and Authorization headers of requests to act as an account.
    """

    status: int = 200
    expires_in: int = AT_ONCE
    asked: list[tuple[dict[str, str], str]] = field(default_factory=list)
    exchanged: list[dict[str, str]] = field(default_factory=list)
    impersonated: list[tuple[str, str]] = field(default_factory=list)
    url: str = ""

    def configuration(self, **more: object) -> dict[str, Any]:
        """Return what google-github-actions/auth writes, with this server in Google's place."""
        return {
            "type": "external_account",
            "audience": "//iam.googleapis.com/projects/1/locations/global/x",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": f"{self.url}/v1/token",
            "credential_source": {
                "url": f"{self.url}/oidc?audience=acme",
                "headers": {"Authorization": f"Bearer {REQUEST_TOKEN}"},
                "format": {"type": "json", "subject_token_field_name": "value"},
            },
            **more,
        }

    def respond(self, exchange: Exchange) -> None:
        if exchange.command == "GET":
            query = dict(parse_qsl(urlsplit(exchange.path).query))
            self.asked.append((query, exchange.given.get("authorization", "")))
            _send(exchange, 200, {"value": f"jwt-{len(self.asked)}"})
            return
        body = exchange.content()
        if "generateAccessToken" in exchange.path:
            self.impersonated.append((exchange.path, exchange.given.get("authorization", "")))
            expiry = "2099-01-01T00:00:00Z"
            _send(exchange, 200, {"accessToken": "acting", "expireTime": expiry})
            return
        self.exchanged.append(dict(parse_qsl(body.decode())))
        answer = {
            "access_token": f"access-{len(self.exchanged)}",
            "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "token_type": "Bearer",
            "expires_in": self.expires_in,
        }
        refused = {"error": "invalid_grant", "error_description": "not you"}
        _send(exchange, self.status, answer if self.status == 200 else refused)


def _send(exchange: Exchange, status: int, document: object) -> None:
    body = json.dumps(document).encode()
    exchange.reply(status, body, {"Content-Type": "application/json"})
