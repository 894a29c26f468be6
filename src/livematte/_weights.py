"""Weights: where a model's file lies, and how it gets there.

A file comes, in this order, from the path the user gave, from the package, or from the
cache that `livematte models pull` fills: `LIVEMATTE_CACHE`, else the platform's cache
folder. Nothing is downloaded unless that is asked for.
"""

from __future__ import annotations

import hashlib
import http
import http.client
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from livematte._errors import ChecksumMismatch, DownloadError, OptionError, WeightsError

PACKAGED = Path(__file__).parent / "models" / "weights"
"""Weights that ship with the package."""

CHUNK_BYTES = 1 << 16
"""Read at once: small enough for a smooth progress bar, large enough to cost nothing."""

TIMEOUT_S = 30.0
"""Silence of the server after which a download is given up."""

Progress = Callable[[int, int], None]
"""Called with the bytes there and the bytes in all."""


def _silent(done_bytes: int, total_bytes: int) -> None:
    """Progress for those who do not look."""


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """One file of weights, as its author published it.

    Args:
        path: its path below the package's weights or below the cache, with `/`.
        sha256: of its content, lower-case hexadecimal.
        size_bytes: of its content.
        url: official address; None for a file that ships with the package, or that nobody
            publishes in this format.
        published: False for the latter: it is taken from `--weights`, from the cache if
            somebody put it there, or from `LIVEMATTE_MIRROR`.
    """

    path: str
    sha256: str
    size_bytes: int
    url: str | None = None
    published: bool = True

    @property
    def packaged(self) -> bool:
        """Whether it ships with the package."""
        return self.published and self.url is None

    @property
    def suffix(self) -> str:
        """File ending, such as `.onnx`."""
        return Path(self.path).suffix


def cache_dir() -> Path:
    """Folder for what was downloaded or derived; it may not exist yet."""
    if own := os.environ.get("LIVEMATTE_CACHE"):
        return Path(own)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "livematte"


def place(file: WeightsFile) -> Path:
    """Where `file` belongs on this machine, whether it is there or not."""
    return (PACKAGED if file.packaged else cache_dir() / "weights") / file.path


def locate(file: WeightsFile, model: str) -> Path:
    """The path of `file`, which must be there already and unharmed.

    Args:
        file: one of the model's files.
        model: its registry name such as `mediapipe:landscape`, for the message.

    Raises:
        WeightsError: it is not there; the message says how to get it.
        ChecksumMismatch: a downloaded file is not the published one any more.
    """
    path = place(file)
    if not path.is_file():
        if file.packaged:
            raise WeightsError(f"{path} is missing from the installation: install livematte again")
        if not file.published:
            raise WeightsError(
                f"the weights of {model} are not on this machine, and have no official address: "
                f"pass --weights FILE, or put {Path(file.path).name} at {path}"
            )
        raise WeightsError(
            f"the weights of {model} are not on this machine: "
            f"run `livematte models pull {model}` or pass --weights FILE"
        )
    if not file.published:
        verify(path, file)
    elif not file.packaged:
        verify(path, file, f"run `livematte models pull {model}` again")
    return path


def verify(path: Path, file: WeightsFile, remedy: str = "get the file again") -> None:
    """Compare a file with what was published.

    Args:
        path: the file on this machine.
        file: what was published.
        remedy: what the user can do, for the message.

    Raises:
        WeightsError: it cannot be read.
        ChecksumMismatch: its content is another.
    """
    try:
        with path.open("rb") as stream:
            digest, size_bytes = _digest(stream)
    except OSError as exc:
        raise WeightsError(f"cannot read {path}: {exc.strerror or exc}") from exc
    if digest != file.sha256:
        raise ChecksumMismatch(
            f"{path} ({size_bytes} bytes) has SHA-256 {digest[:16]}..., expected {file.sha256[:16]}... "
            f"({file.size_bytes} bytes): {remedy}"
        )


def pull(file: WeightsFile, progress: Progress = _silent) -> Path:
    """Download `file` into the cache, unless it is there and unharmed.

    The proxies of the environment are used. `LIVEMATTE_MIRROR`, the base of an address,
    replaces the official one: the file is then looked for at `MIRROR/<path>`. What
    arrived of a download that broke off is kept beside the target as `.part`, and the
    next one goes on from there. Two downloads of one file at once disturb each other,
    which the checksum finds.

    Args:
        file: what to get; one that ships with the package is only verified.
        progress: called after each piece with the bytes there and the bytes in all.

    Returns:
        Its path; a file is at this path only complete and with the right checksum.

    Raises:
        DownloadError: the address cannot be reached, refuses, or breaks off.
        ChecksumMismatch: other bytes than the published ones arrived; none are kept.
        WeightsError: the cache cannot be written.
        OptionError: `LIVEMATTE_MIRROR` is no http address.
    """
    target = place(file)
    if file.packaged:
        verify(target, file, "install livematte again")
        return target
    if _is_whole(target, file):
        progress(file.size_bytes, file.size_bytes)
        return target
    if not address(file):
        raise DownloadError(
            f"{Path(file.path).name} has no official address: put it at {target}, or pass --weights FILE"
        )
    part = target.with_name(f"{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        resumed = part.is_file()
        _fetch(file, part, progress)
        if resumed and not _is_whole(part, file):  # the beginning was of another file: once more, from nothing
            part.unlink()
            _fetch(file, part, progress)
        if not _is_whole(part, file):
            part.unlink()
            raise ChecksumMismatch(
                f"{address(file)} delivered other bytes than the published ones (SHA-256 {file.sha256[:16]}...); "
                "nothing was kept. Try again, or get the file elsewhere and pass --weights FILE"
            )
        part.replace(target)
    except OSError as exc:
        raise WeightsError(
            f"cannot write {target}: {exc.strerror or exc}. LIVEMATTE_CACHE names another folder"
        ) from exc
    return target


def address(file: WeightsFile) -> str:
    """Where `file` is downloaded from: the mirror, if there is one, else the official address,
    else an empty string."""
    mirror = os.environ.get("LIVEMATTE_MIRROR")
    if not mirror:
        return file.url or ""
    if urlsplit(mirror).scheme not in ("http", "https"):
        raise OptionError(f"LIVEMATTE_MIRROR must begin with http:// or https://, got {mirror!r}")
    return f"{mirror.rstrip('/')}/{file.path}"


def _fetch(file: WeightsFile, part: Path, progress: Progress) -> None:
    """Bring `part` up to the published size, going on from what it has."""
    have = part.stat().st_size if part.is_file() else 0
    if have >= file.size_bytes:  # whole, or of another file: the checksum decides
        return
    url = address(file)
    request = urllib.request.Request(url, headers={"User-Agent": "livematte"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
            if have and (response.status != http.HTTPStatus.PARTIAL_CONTENT or not _starts_at(response, have)):
                have = 0  # a server without ranges sends everything again
            with part.open("ab" if have else "wb") as out:
                _receive(response, out, have, file, progress)
    except urllib.error.HTTPError as exc:
        if exc.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and have:
            part.unlink()  # more than the server has: of another file
            return _fetch(file, part, progress)
        raise DownloadError(f"{url} answered {exc.code} {exc.reason}{_WAY_OUT}") from exc
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as exc:
        raise DownloadError(f"cannot download {url}: {getattr(exc, 'reason', exc)}{_WAY_OUT}") from exc
    have = part.stat().st_size
    if have < file.size_bytes:
        raise DownloadError(
            f"{url} broke off after {have} of {file.size_bytes} bytes; the same command goes on from there{_WAY_OUT}"
        )


def _receive(
    response: http.client.HTTPResponse, out: IO[bytes], have: int, file: WeightsFile, progress: Progress
) -> None:
    """Write the answer to `out`, never more than one byte beyond the published size."""
    progress(have, file.size_bytes)
    while have <= file.size_bytes:
        try:
            piece = response.read1(min(CHUNK_BYTES, file.size_bytes + 1 - have))
        except (OSError, http.client.HTTPException) as exc:  # what came so far is kept
            raise DownloadError(
                f"{address(file)} broke off: {exc}; the same command goes on from there{_WAY_OUT}"
            ) from exc
        if not piece:
            return
        out.write(piece)
        have += len(piece)
        progress(min(have, file.size_bytes), file.size_bytes)


def _starts_at(response: http.client.HTTPResponse, offset: int) -> bool:
    return (response.headers.get("Content-Range") or "").startswith(f"bytes {offset}-")


def _is_whole(path: Path, file: WeightsFile) -> bool:
    if not path.is_file() or path.stat().st_size != file.size_bytes:
        return False
    with path.open("rb") as stream:
        return _digest(stream)[0] == file.sha256


def _digest(stream: IO[bytes]) -> tuple[str, int]:
    """SHA-256 and length of a stream. `hashlib.file_digest` needs Python 3.11."""
    digest, size_bytes = hashlib.sha256(), 0
    while piece := stream.read(CHUNK_BYTES):
        digest.update(piece)
        size_bytes += len(piece)
    return digest.hexdigest(), size_bytes


_WAY_OUT = ". Without a network, get the file elsewhere and pass --weights FILE"
