"""HTTP authentication by the given headers alone."""

import requests


def no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Authenticate with nothing but the headers: else a password of ~/.netrc replaces the token."""
    return request
