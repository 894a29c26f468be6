"""The presets of this machine: one TOML file that the browser app reads and writes, too.

    [presets.office]
    effect = "blur:0.6"      # or "image:PATH", "color:#00ff00", "transparent", "off"
    model = "livematte:fast"
    softness = 0.2

A path counts from the file's folder.
"""

from __future__ import annotations

import json
import os
import re
import sys
import threading
from pathlib import Path
from typing import Any

from livematte import _registry
from livematte._errors import LivematteError, OptionError
from livematte._presets import WITH_PATH, Misfit, Preset, nearest, preset

MOST_BYTES = 256 * 1024
"""Of a file: some hundred presets. A larger one is something else."""

MOST_PRESETS = 200
"""As many as a page can list."""

LONGEST_NAME = 64
"""Characters of a preset's name."""

BARE = re.compile(r"[A-Za-z0-9_-]+")
"""Keys that TOML takes without quotes (TOML 1.0, "Keys")."""

HEADER = re.compile(r"""\s*\[{1,2}\s*[A-Za-z0-9_"'-][^\[\],]*\]{1,2}\s*(#.*)?""")
"""A line that begins a table; rows of numbers have commas."""


class PresetFile:
    """The file, and what it held when it was last in order.

    Args:
        path: it may not exist yet; None takes the user's own.

    Attributes:
        presets: by name.
        error: what is wrong with the file now, in words; None if nothing is.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self.path = Path(path) if path is not None else config_dir() / "presets.toml"
        self.presets: dict[str, Preset] = {}
        self.error: str | None = None
        self._seen: tuple[int, int, int] | None = None
        self._lock = threading.RLock()
        self.refresh()

    def refresh(self) -> bool:
        """Read the file again if it has changed. A broken one leaves the presets as they were.

        Returns:
            Whether the presets are others now.
        """
        with self._lock:
            try:
                found = self.path.stat()
                seen = (found.st_mtime_ns, found.st_size, found.st_ino)
                if seen == self._seen:
                    return False
                self._seen = seen
                presets = parse(_text(self.path), self.path)
            except FileNotFoundError:
                self.error = f"{self.path} is gone; its presets are kept" if self._seen else None
                return False
            except OSError as exc:
                self.error = f"cannot read {self.path}: {exc.strerror}"
                return False
            except LivematteError as exc:
                self.error = str(exc)
                return False
            self.error = None
            changed, self.presets = presets != self.presets, presets
            return changed

    def as_dict(self) -> dict[str, Any]:
        """Path, presets with what they name, and what is wrong with the file, as plain values."""
        return {
            "path": str(self.path),
            "presets": {name: kept.given() for name, kept in self.presets.items()},
            "error": self.error,
        }

    def find(self, name: str) -> Preset:
        """The preset called `name`.

        Raises:
            OptionError: there is none, with the nearest name; or the file is broken and it was never read.
        """
        presets = self.presets
        if name not in presets:
            near = nearest(name, tuple(presets)) if presets else f"{self.path} holds none"
            raise OptionError(self.error or f"no preset is called {name!r}; {near}")
        return presets[name]

    def save(self, name: str, kept: Preset) -> None:
        """Write a preset into the file, in place of one of the same name; the rest stays as it is, comments too.

        Raises:
            OptionError: a name that cannot be, or a file that cannot be changed.
        """
        check_name(name)
        self._rewrite(name, kept)

    def delete(self, name: str) -> None:
        """Take a preset out of the file.

        Raises:
            OptionError: there is none of this name, or the file cannot be changed.
        """
        self.find(name)
        self._rewrite(name, None)

    def _rewrite(self, name: str, kept: Preset | None) -> None:
        with self._lock:
            self.refresh()
            if self.error:
                raise OptionError(f"the presets cannot be changed: {self.error}")
            path = self.path.resolve()
            before = _text(path) if path.exists() else ""
            wanted = {key: value for key, value in self.presets.items() if key != name}
            if kept is not None:
                wanted[name] = kept
            text = _spliced(before, name, None if kept is None else written(name, kept, path.parent))
            try:
                others = parse(text, path) != wanted
            except OptionError as exc:
                raise OptionError(f"{name!r} cannot be written: {exc}; edit the file by hand") from exc
            if others:
                raise OptionError(f"{path} spells {name!r} in a way that is not changed here; edit the file by hand")
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                part = path.with_name(f".{path.name}.{os.getpid()}.part")
                part.write_text(text, encoding="utf-8")
                part.replace(path)
            except OSError as exc:
                raise OptionError(f"cannot write {path}: {exc.strerror}") from exc
            self.refresh()


def parse(text: str, path: Path) -> dict[str, Preset]:
    """The presets of a file's text.

    Args:
        path: of the file, for messages and for what is named in relation to it.

    Raises:
        OptionError: names the file and the line.
    """
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        tables = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as exc:
        raise OptionError(f"{path}: {str(exc) or 'nested too deeply'}") from exc
    for key in tables:
        if key != "presets":
            raise OptionError(f"{path}{_line(text, None, key)}: {key!r} is unknown; {nearest(key, ('presets',))}")
    named = tables.get("presets", {})
    if not isinstance(named, dict) or not all(isinstance(table, dict) for table in named.values()):
        raise OptionError(f"{path}: presets are tables, as in [presets.office]")
    if len(named) > MOST_PRESETS:
        raise OptionError(f"{path}: there may be at most {MOST_PRESETS} presets, got {len(named)}")
    found = {}
    for name, table in named.items():
        try:
            check_name(name)
            found[name] = preset(table, path.parent)
        except Misfit as exc:
            raise OptionError(f"{path}{_line(text, name, exc.key)}: preset {name!r}: {exc}") from exc
    return found


def written(name: str, kept: Preset, folder: Path) -> str:
    """A preset as its part of the file; a path below `folder` counts from there.

    The values are text, numbers, switches and lists of numbers: a writer for all of TOML would be a
    dependency of the core for these few lines.
    """
    values = kept.given()
    kind, argument = _registry.split(values.get("effect", ""))
    if kind in WITH_PATH and argument and Path(argument).is_relative_to(folder):
        values["effect"] = f"{kind}:{Path(argument).relative_to(folder).as_posix()}"
    if values.get("room") and Path(values["room"]).is_relative_to(folder):
        values["room"] = Path(values["room"]).relative_to(folder).as_posix()
    key = name if BARE.fullmatch(name) else _quoted(name)
    return "\n".join([f"[presets.{key}]", *(f"{key} = {_toml(value)}" for key, value in values.items()), ""])


def check_name(name: str) -> None:
    """Refuse a name that cannot be shown on a line.

    Raises:
        OptionError: says what a name may be.
    """
    if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable() or name != name.strip():
        raise OptionError(f"a preset's name is 1 to {LONGEST_NAME} characters on one line, got {name[:80]!r}")


def config_dir() -> Path:
    """Folder of what the user has chosen; it may not exist yet."""
    if own := os.environ.get("LIVEMATTE_CONFIG"):
        return Path(own)
    if sys.platform == "win32":
        base = Path(os.environ.get("APPDATA") or Path.home() / "AppData" / "Roaming")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return base / "livematte"


def _text(path: Path) -> str:
    with path.open("rb") as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise OptionError(f"{path} is larger than {MOST_BYTES // 1024} KB; presets are a few lines each")
    try:
        return data.decode()
    except UnicodeDecodeError as exc:
        line = data.count(b"\n", 0, exc.start) + 1
        raise OptionError(f"{path} line {line}: this is not text in UTF-8") from exc


def _spliced(text: str, name: str, table: str | None) -> str:
    """The text with one preset exchanged, added at the end, or taken out (None)."""
    lines = text.splitlines(keepends=True)
    start = next((index for index, line in enumerate(lines) if _begins(line, name)), None)
    if start is None:
        if table is None:
            return text
        return f"{text.rstrip()}\n\n{table}".lstrip("\n")
    end = next((i for i in range(start + 1, len(lines)) if HEADER.fullmatch(lines[i].rstrip("\r\n"))), len(lines))
    while end < len(lines) and end > start + 1 and lines[end - 1].lstrip().startswith("#"):
        end -= 1  # a comment right above the next preset is about that
    between = "\n" if table is not None and end < len(lines) else ""
    return "".join([*lines[:start], (table or "") + between, *lines[end:]])


def _begins(line: str, name: str) -> bool:
    """Whether a line is the header of the preset `name`."""
    match = re.match(r"""\s*\[\s*presets\s*\.\s*(?:([A-Za-z0-9_-]+)|"(.*)"|'(.*)')\s*\]""", line)
    if not match:
        return False
    bare, quoted, literal = match.groups()
    return name == (bare if bare is not None else literal) or (quoted is not None and _quoted(name) == f'"{quoted}"')


def _line(text: str, name: str | None, key: str) -> str:
    """` line 12`, where a key stands; nothing if it is not found at once."""
    inside = name is None
    for number, line in enumerate(text.splitlines(), 1):
        if HEADER.fullmatch(line):
            if name is None and re.match(rf"\s*\[+\s*[\"']?{re.escape(key)}[\"'.\s\]]", line):
                return f" line {number}"
            inside = name is not None and _begins(line, name)
        elif inside and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", line):
            return f" line {number}"
    return ""


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return repr(float(value))


def _quoted(text: str) -> str:
    """A basic string: JSON's escapes are TOML's, and TOML wants one more."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
