"""Weights: where a model's file lies, and how it gets there.

A file comes, in this order, from the path the user gave, from the package, or from the
cache that `livematte models pull` fills: `LIVEMATTE_CACHE`, else the platform's cache
folder. Nothing is downloaded unless that is asked for.

What arrived is compared with the publisher's checksum. Where none is published, the first
download is trusted as far as its encrypted connection is, and its SHA-256 recorded beside
the file as `NAME.sha256`; everything later is compared with that.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from collections.abc import Collection
from dataclasses import KW_ONLY, dataclass
from pathlib import Path, PurePosixPath
from typing import IO
from urllib.parse import urlsplit

from livematte import _download, _shards
from livematte._download import CHUNK_BYTES, Progress
from livematte._errors import ChecksumMismatch, DownloadError, OptionError, WeightsError

PACKAGED = Path(__file__).parent / "models" / "weights"
"""Weights that ship with the package."""

MAX_BYTES = 2 << 30
"""Most bytes of a file whose size is not published; the largest model we know has 0.2 GB."""

RECORD_SUFFIX = ".sha256"
"""Beside a file without a published checksum: what its first download was, as `sha256sum` writes it."""


def _silent(done_bytes: int, total_bytes: int) -> None:
    """Progress for those who do not look."""


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """One file of weights, as its author published it.

    Args:
        path: its path below the package's weights or below the cache, with `/`.
        sha256: of its content, lower-case hexadecimal; None where we know of none.
        size_bytes: of its content; None where it is not published.
        url: official address; None for a file that ships with the package, or that nobody
            publishes in this format.
        published: False for the latter: it is taken from `--weights`, from the cache if
            somebody put it there, or, if its model has no published file, from `LIVEMATTE_MIRROR`.
        md5: of its content, where its publisher gives that and no SHA-256.
        shards: it is a TensorFlow.js `model.json`, and the files of weights it names lie beside it.
        consent: name of a licence to which the user must agree by name before it is downloaded.
    """

    path: str
    sha256: str | None
    size_bytes: int | None
    url: str | None = None
    published: bool = True
    _: KW_ONLY
    md5: str | None = None
    shards: bool = False
    consent: str | None = None

    @property
    def packaged(self) -> bool:
        """Whether it ships with the package."""
        return self.published and self.url is None

    @property
    def suffix(self) -> str:
        """File ending, such as `.onnx`."""
        return Path(self.path).suffix

    @property
    def checksum(self) -> str | None:
        """What is published, for people: `SHA-256 4aafe622...`; None if nothing is."""
        if self.sha256:
            return f"SHA-256 {self.sha256}"
        return f"MD5 {self.md5}" if self.md5 else None


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


def locate(file: WeightsFile, model: str, option: str | None = "--weights FILE") -> Path:
    """The path of `file`, which must be there already and unharmed.

    Args:
        file: one of the model's files.
        model: its registry name such as `mediapipe:landscape`, for the message.
        option: what the command that asks takes in place of it; None if it takes nothing.

    Raises:
        WeightsError: it is not there; the message says how to get it.
        ChecksumMismatch: a downloaded file is not the published one any more.
    """
    path = place(file)
    command = f"livematte models pull {model}" + (f" --accept-licence {file.consent}" if file.consent else "")
    if not path.is_file():
        other = f"pass {option}, or " if option else ""
        if file.packaged:
            raise WeightsError(f"{path} is missing from the installation: install livematte again")
        if not file.published:
            raise WeightsError(
                f"the weights of {model} are not on this machine, and have no official address: "
                f"{other}put {Path(file.path).name} at {path}"
            )
        other = f" or pass {option}" if option else ""
        raise WeightsError(f"the weights of {model} are not on this machine: run `{command}`{other}")
    if not file.published:
        verify(path, file)
    elif not file.packaged:
        verify(path, file, f"run `{command}` again")
    return path


def verify(path: Path, file: WeightsFile, remedy: str = "get the file again") -> str:
    """Compare a file, and its shards, with what was published or recorded.

    Args:
        path: the file on this machine.
        file: what was published.
        remedy: what the user can do, for the message.

    Returns:
        What it was compared with, in words.

    Raises:
        WeightsError: it or one of its shards is missing or cannot be read.
        ChecksumMismatch: its content is another.
    """
    record = _recorded(path)
    if file.checksum:
        _compare(path, file.sha256, file.md5, file.size_bytes, remedy)
        words = "the published checksum"
    elif record:
        _compare(path, record.get(path.name, "none recorded"), None, file.size_bytes, remedy)
        words = "its first download: no checksum is published"
    else:
        _compare(path, None, None, file.size_bytes, remedy)
        words = "nothing: no checksum is published, and none was recorded"
    if file.shards:
        for group in _shards.read(path, str(path)):
            parts = [path.with_name(name) for name in group.names]
            missing = "none recorded" if record else None
            sizes = [_compare(part, record.get(part.name, missing), None, None, remedy) for part in parts]
            if sum(sizes) != group.size_bytes:
                raise ChecksumMismatch(
                    f"{', '.join(group.names)} beside {path} have {sum(sizes)} bytes, "
                    f"expected {group.size_bytes}: {remedy}"
                )
    return words


def pull(file: WeightsFile, progress: Progress = _silent, *, accepted: Collection[str] = ()) -> Path:
    """Download `file`, and its shards, into the cache, unless it is there and unharmed.

    The proxies of the environment are used. `LIVEMATTE_MIRROR`, the base of an address,
    replaces the official one: the file is then looked for at `MIRROR/<path>`. What
    arrived of a download that broke off is kept beside the target as `.part`, and the
    next one goes on from there. Two downloads of one file at once disturb each other,
    which the checksum finds.

    Args:
        file: what to get; one that ships with the package is only verified.
        progress: called after each piece with the bytes there and the bytes in all.
        accepted: names of the licences to which the user has agreed.

    Returns:
        Its path; a file is at this path only complete and with the right checksum, and
        after its shards.

    Raises:
        DownloadError: the address cannot be reached, refuses, or breaks off.
        ChecksumMismatch: other bytes than the published ones arrived; none are kept.
        WeightsError: the cache cannot be written, or the manifest of shards is no such thing.
        OptionError: `LIVEMATTE_MIRROR` is no http address, or the licence was not agreed to.
    """
    target = place(file)
    if file.packaged:
        verify(target, file, "install livematte again")
        return target
    if _is_whole(target, file):
        size_bytes = target.stat().st_size
        progress(size_bytes, size_bytes)
        return target
    if file.consent and file.consent not in accepted:
        raise OptionError(
            f"{Path(file.path).name} is licensed under {file.consent}, which binds those who pass on what contains it: "
            f"to agree, pass --accept-licence {file.consent}"
        )
    if not address(file):
        raise DownloadError(
            f"{Path(file.path).name} has no official address: put it at {target}, or pass --weights FILE"
        )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        known = _recorded(target)
        limit_bytes = _shards.MAX_MANIFEST_BYTES if file.shards else MAX_BYTES
        part, digest = _obtain(file, known.get(target.name), limit_bytes, progress)
        record = {} if file.checksum else {target.name: digest}
        if file.shards:
            record |= _pull_shards(file, part, known, progress)
        if record:
            lines = "".join(f"{digest}  {name}\n" for name, digest in record.items())
            _write_text(target.with_name(target.name + RECORD_SUFFIX), lines)
        _download.finish(part, target)
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


def _obtain(file: WeightsFile, recorded: str | None, limit_bytes: int, progress: Progress) -> tuple[Path, str]:
    """The whole file as `.part` beside its place, compared with what is known of it, and its SHA-256."""
    target, url = place(file), address(file)
    part = target.with_name(f"{target.name}.part")
    checked = bool(file.checksum or recorded)
    resumed = part.is_file()
    _download.fetch(url, part, file.size_bytes, limit_bytes, progress, checked=checked)
    if resumed and not _fits(part, file, recorded):  # the beginning was of another file: once more, from nothing
        _download.forget(part)
        _download.fetch(url, part, file.size_bytes, limit_bytes, progress, checked=checked)
    if not _fits(part, file, recorded):
        _download.forget(part)
        if not file.checksum and recorded:
            raise ChecksumMismatch(
                f"{url} delivers another file than it did at first (SHA-256 {recorded[:16]}...); nothing was kept. "
                f"If its publisher has replaced it, remove {target}{RECORD_SUFFIX} and pull again"
            )
        expected = f"{file.checksum[:24]}..." if file.checksum else f"{file.size_bytes} bytes"
        raise ChecksumMismatch(
            f"{url} delivered other bytes than the published ones ({expected}); "
            "nothing was kept. Try again, or get the file elsewhere and pass --weights FILE"
        )
    with part.open("rb") as stream:
        return part, _digest(stream)[0]


def _pull_shards(file: WeightsFile, manifest: Path, known: dict[str, str], progress: Progress) -> dict[str, str]:
    """Bring the shards of a manifest to their places; their SHA-256 by name."""
    digests: dict[str, str] = {}
    groups = _shards.read(manifest, address(file))
    total, done = sum(group.size_bytes for group in groups), 0
    for group in groups:
        left = group.size_bytes
        for index, name in enumerate(group.names, 1):
            shard = _beside(file, name, left if index == len(group.names) else None)
            target, recorded = place(shard), known.get(name)

            def shown(have: int, whole: int, before: int = done) -> None:
                progress(min(before + have, total), total)

            if recorded is None or not _fits(target, shard, recorded):
                part, digests[name] = _obtain(shard, recorded, left, shown)
                _download.finish(part, target)
            else:
                digests[name] = recorded
            size_bytes = target.stat().st_size
            left, done = left - size_bytes, done + size_bytes
    return digests


def _beside(file: WeightsFile, name: str, size_bytes: int | None) -> WeightsFile:
    """A shard of `file`; its address differs in the last part of the path, and keeps the rest."""
    url = None
    if file.url:
        split = urlsplit(file.url)
        url = split._replace(path=f"{split.path.rpartition('/')[0]}/{name}").geturl()
    return WeightsFile(str(PurePosixPath(file.path).with_name(name)), None, size_bytes, url, file.published)


def _is_whole(path: Path, file: WeightsFile) -> bool:
    """Whether the file is there and the one that was published, or pulled at first."""
    if not path.is_file() or not (file.checksum or _recorded(path)):
        return False
    try:
        verify(path, file)
    except WeightsError:
        return False
    return True


def _fits(path: Path, file: WeightsFile, recorded: str | None) -> bool:
    """Whether one file, without its shards, has the size and checksum that are known."""
    try:
        _compare(path, file.sha256 or (None if file.md5 else recorded), file.md5, file.size_bytes, "")
    except WeightsError:
        return False
    return True


def _compare(path: Path, sha256: str | None, md5: str | None, size_bytes: int | None, remedy: str) -> int:
    """Bytes of a file that has what is known of it; None is not known.

    Raises:
        WeightsError: it cannot be read.
        ChecksumMismatch: it has other content.
    """
    kind, expected = ("SHA-256", sha256) if sha256 or not md5 else ("MD5", md5)
    try:
        with path.open("rb") as stream:
            digest, size = _digest(stream, "sha256" if kind == "SHA-256" else "md5")
    except OSError as exc:
        raise WeightsError(f"cannot read {path}: {exc.strerror or exc}") from exc
    if (expected is not None and digest != expected) or (size_bytes is not None and size != size_bytes):
        wanted = f"{expected[:16]}..." if expected else "any"
        raise ChecksumMismatch(
            f"{path} ({size} bytes) has {kind} {digest[:16]}..., expected {wanted}"
            f"{'' if size_bytes is None else f' ({size_bytes} bytes)'}: {remedy}"
        )
    return size


def _recorded(path: Path) -> dict[str, str]:
    """SHA-256 by file name, as recorded by the first download of `path`; empty if it is not."""
    record = path.with_name(path.name + RECORD_SUFFIX)
    try:
        lines = record.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeError) as exc:
        raise WeightsError(f"cannot read {record}: {exc}; remove it and pull again") from exc
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}


def _write_text(path: Path, text: str) -> None:
    """Write a small file in one step."""
    handle, part = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as out:
            out.write(text)
        Path(part).replace(path)
    except OSError:
        Path(part).unlink(missing_ok=True)
        raise


def _digest(stream: IO[bytes], kind: str = "sha256") -> tuple[str, int]:
    """Checksum and length of a stream. `hashlib.file_digest` needs Python 3.11."""
    digest, size_bytes = hashlib.new(kind, usedforsecurity=kind == "sha256"), 0
    while piece := stream.read(CHUNK_BYTES):
        digest.update(piece)
        size_bytes += len(piece)
    return digest.hexdigest(), size_bytes
