"""HTTP authentication by the given headers alone."""

import requests


def no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Leave the request as it is: otherwise a password in ~/.netrc would replace its token."""
    return request
