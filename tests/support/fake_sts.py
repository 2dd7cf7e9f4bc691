"""Google's token exchange and GitHub's OIDC endpoint, on this machine."""

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

# google-auth renews a token that is good for less than 225 s before each use.
AT_ONCE = 60
REQUEST_TOKEN = "canary-request-token"


@dataclass
class FakeSts:
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

    def __enter__(self) -> Self:
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                query = dict(parse_qsl(urlsplit(self.path).query))
                fake.asked.append((query, self.headers.get("Authorization", "")))
                self._answer(200, {"value": f"jwt-{len(fake.asked)}"})

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                if "generateAccessToken" in self.path:
                    token = self.headers.get("Authorization", "")
                    fake.impersonated.append((self.path, token))
                    expiry = "2099-01-01T00:00:00Z"
                    self._answer(200, {"accessToken": "acting", "expireTime": expiry})
                    return
                fake.exchanged.append(dict(parse_qsl(body.decode())))
                answer = {
                    "access_token": f"access-{len(fake.exchanged)}",
                    "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
                    "token_type": "Bearer",
                    "expires_in": fake.expires_in,
                }
                refused = {"error": "invalid_grant", "error_description": "not you"}
                self._answer(fake.status, answer if fake.status == 200 else refused)

            def _answer(self, status: int, document: object) -> None:
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
