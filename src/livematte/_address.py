"""Network addresses without what is secret in them, for all that is shown, logged or reported."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

OPEN_PATHS = ("http", "https", "rtsp", "rtsps", "srt", "tcp", "udp")
"""Schemes whose path says where, not who: RTMP has a key for a last name, and of others nothing is known."""

ADDRESS = re.compile(r"(?:stream:)?([A-Za-z][A-Za-z0-9+.-]*)://")


def without_secrets(spec: str) -> str:
    """An address without user, password and query, and without the key that RTMP has for a last name.

    Args:
        spec: of an input or an output; one that is no address comes back as it is.
    """
    found = ADDRESS.match(spec)
    if not found:
        return spec
    parts = urlsplit(spec[found.start(1) :])
    host, path = parts.netloc.rpartition("@")[2], parts.path
    if parts.scheme not in OPEN_PATHS and path.count("/") > 1:
        path = path.rpartition("/")[0] + "/..."
    return f"{parts.scheme}://{host}{path}"
