"""The web app, served from this machine: files of the package, and nothing else.

All pixels stay in the browser; this server never sees one.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from livematte import _registry, _weights
from livematte._errors import LivematteError
from livematte._http import HOST_ONLY, Bounded, Strict
from livematte._weights import WeightsFile

APP = Path(__file__).parent / "web"
"""The built web app: in wheels, and after `make web` in a source tree."""

POLICY = "; ".join(
    (
        *HOST_ONLY,
        "script-src 'self' 'wasm-unsafe-eval'",
        "worker-src 'self'",
        "img-src 'self' blob:",
        "media-src 'self' blob:",
    )
)
"""Content-Security-Policy of every answer: this host, no inline script, no eval."""

MODELS = ("mediapipe:landscape", "mediapipe:general")
"""Networks that the app can run once `livematte models pull` has fetched them."""

BODYPIX = re.compile(r"/assets/models/(bodypix(?:/\w[\w-]*)*/\w[\w-]*(?:\.\w+)+)")
"""BodyPix's files, many of which belong together: whatever of them is in the cache. Plain names alone."""


class Server(Bounded):
    """Serves the web app until `shutdown()`; more clients than it has room for wait to be accepted.

    Args:
        host: address to listen on; `127.0.0.1` is reached from this machine only.
        port: 0 takes a free one, see `address`.

    Raises:
        LivematteError: the web app has not been built.
        OptionError: the address cannot be listened on.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 8000, answer: Any = None) -> None:
        if not (APP / "index.html").is_file():
            raise LivematteError(f"the web app is not in {APP}: build it with `make web`, or install a wheel")
        super().__init__(host, port, answer or Handler)


class Handler(Strict):
    """GET and HEAD of the app's files, and of networks that were pulled."""

    policy = POLICY
    camera = "(self)"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, folder=APP, **kwargs)

    def translate_path(self, path: str) -> str:
        asked = unquote(urlsplit(path).path)
        if "\0" in asked:
            return str(APP / "no such file")
        if bodypix := BODYPIX.fullmatch(asked):
            return str(_weights.cache_dir() / "weights" / bodypix[1])
        pulled = _models().get(asked)
        return str(_weights.place(pulled)) if pulled else super().translate_path(path)


def _models() -> dict[str, WeightsFile]:
    """Path in the app -> file of a network that it may run."""
    found = {}
    for name in MODELS:
        family, _, tag = name.partition(":")
        file = _registry.load("models", family).SPECS[tag].files[0]
        found[f"/assets/models/{Path(file.path).name}"] = file
    return found
