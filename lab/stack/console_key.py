"""The console's key: the URL parameter that opens the live console.

The key is derived from the control token. It therefore survives a restart of the console and becomes invalid with the
token, while the token itself never appears in a URL.
"""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import urlencode

from lab.clients.pager import read_token
from lab.errors import LabError
from lab.paths import Home

PARAMETER = "key"
_PURPOSE = b"fleetops console key"


def console_key(token: str) -> str:
    """The key that belongs to a control token: 64 hexadecimal digits."""
    return hmac.new(token.encode(), _PURPOSE, hashlib.sha256).hexdigest()


def is_console_key(given: str, token: str) -> bool:
    """Whether `given` is the key of `token`, compared in constant time."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), console_key(token).encode())


def console_url(base_url: str, home: Home) -> str:
    """The console's URL with its key, or without one while `home` has no control token."""
    try:
        token = read_token(home)
    except LabError:
        return base_url
    return f"{base_url}/?{urlencode({PARAMETER: console_key(token)})}"
