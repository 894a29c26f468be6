"""One address into one file: resumed where it broke off, and never larger than expected."""

from __future__ import annotations

import http
import http.client
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import IO

from livematte._errors import DownloadError

CHUNK_BYTES = 1 << 16
"""Read at once: small enough for a smooth progress bar, large enough to cost nothing."""

TIMEOUT_S = 30.0
"""Silence of the server after which a download is given up."""

Progress = Callable[[int, int], None]
"""Called with the bytes there and the bytes in all; 0 in all where the server does not say."""

WAY_OUT = ". Without a network, get the file elsewhere and pass --weights FILE"

VERSION_SUFFIX = ".etag"
"""Beside a part: which version of the file it is the beginning of, as the server calls it."""


def fetch(url: str, part: Path, size_bytes: int | None, limit_bytes: int, progress: Progress, *, checked: bool) -> None:
    """Bring `part` up to its whole size, going on from what it has.

    Args:
        url: http or https address; the proxies of the environment are used.
        part: file that grows; what arrived stays when the download breaks off.
        size_bytes: of the whole file; None takes what the server announces.
        limit_bytes: most bytes that are accepted where `size_bytes` is None.
        progress: called after each piece.
        checked: the whole file will be compared with a checksum. Without, a part is only
            gone on from if the server still has the version that it began.

    Raises:
        DownloadError: the address cannot be reached, refuses, breaks off or sends too much.
        OSError: the part cannot be written.
    """
    tag = part.with_name(part.name + VERSION_SUFFIX)
    have = part.stat().st_size if part.is_file() else 0
    version = tag.read_text(encoding="ascii") if tag.is_file() else ""
    if not checked and not version:
        have = 0
    if size_bytes is not None and have >= size_bytes:  # whole, or of another file: the checksum decides
        return
    request = urllib.request.Request(url, headers={"User-Agent": "livematte"})
    if have:
        request.add_header("Range", f"bytes={have}-")
        if version:
            request.add_header("If-Range", version)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
            if url.startswith("https:") and not response.url.startswith("https:"):
                raise DownloadError(f"{url} leads to {response.url}, which is not encrypted: nothing was kept{WAY_OUT}")
            if have and (response.status != http.HTTPStatus.PARTIAL_CONTENT or not _starts_at(response, have)):
                have = 0  # a server without ranges, or with another version, sends everything again
            whole = size_bytes if size_bytes is not None else _announced(response, have)
            if whole is None and not checked and not response.chunked:
                raise DownloadError(f"{url} does not say how long the file is, so that nobody could tell a part of it")
            if whole is not None and whole > limit_bytes and size_bytes is None:
                raise DownloadError(f"{url} announces {whole} bytes, expected at most {limit_bytes}: nothing was kept")
            _remember(tag, response, checked)
            with part.open("ab" if have else "wb") as out:
                have = _receive(response, out, have, whole, limit_bytes, progress)
    except urllib.error.HTTPError as exc:
        if exc.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and have:
            forget(part)  # more than the server has: of another file
            return fetch(url, part, size_bytes, limit_bytes, progress, checked=checked)
        raise DownloadError(f"{url} answered {exc.code} {exc.reason}{WAY_OUT}") from exc
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as exc:
        raise DownloadError(f"cannot download {url}: {getattr(exc, 'reason', exc)}{WAY_OUT}") from exc
    if whole is None and have > limit_bytes:
        forget(part)
        raise DownloadError(f"{url} sends more than {limit_bytes} bytes: nothing was kept")
    if whole is not None and have < whole:
        raise DownloadError(
            f"{url} broke off after {have} of {whole} bytes; the same command goes on from there{WAY_OUT}"
        )


def forget(part: Path) -> None:
    """Remove a part and what is known of it."""
    part.unlink(missing_ok=True)
    part.with_name(part.name + VERSION_SUFFIX).unlink(missing_ok=True)


def finish(part: Path, target: Path) -> None:
    """Give a whole part its name, in one step."""
    part.replace(target)
    part.with_name(part.name + VERSION_SUFFIX).unlink(missing_ok=True)


def _receive(
    response: http.client.HTTPResponse, out: IO[bytes], have: int, whole: int | None, limit: int, progress: Progress
) -> int:
    """Write the answer to `out`, never more than one byte beyond what is expected; the bytes there."""
    most = limit if whole is None else whole
    progress(have, whole or 0)
    while have <= most:
        try:
            piece = response.read1(min(CHUNK_BYTES, most + 1 - have))
        except (OSError, http.client.HTTPException) as exc:  # what came so far is kept
            raise DownloadError(
                f"{response.url} broke off: {exc}; the same command goes on from there{WAY_OUT}"
            ) from exc
        if not piece:
            break
        out.write(piece)
        have += len(piece)
        progress(min(have, most), whole or 0)
    return have


def _remember(tag: Path, response: http.client.HTTPResponse, checked: bool) -> None:
    """Keep the strong ETag of a file that no checksum will tell from another version."""
    version = response.headers.get("ETag") or ""
    if not checked and version.startswith('"') and version.isascii():
        tag.write_text(version, encoding="ascii")
    else:
        tag.unlink(missing_ok=True)


def _announced(response: http.client.HTTPResponse, have: int) -> int | None:
    """Bytes of the whole file by the answer's headers, if they say."""
    length = response.headers.get("Content-Length") or ""
    return have + int(length) if length.isdecimal() else None


def _starts_at(response: http.client.HTTPResponse, offset: int) -> bool:
    return (response.headers.get("Content-Range") or "").startswith(f"bytes {offset}-")
