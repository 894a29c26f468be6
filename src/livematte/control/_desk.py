"""The desk: everything that may be asked of a live stream from outside, checked, in plain values."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from livematte import _registry
from livematte._errors import LivematteError, OptionError
from livematte._frame import U8, Frame
from livematte._preset_file import PresetFile, check_name
from livematte._presets import LOOK, WITH_PATH, Preset, preset
from livematte._stages import Effect, Sink
from livematte.control._preview import Preview
from livematte.effects.image import Image

if TYPE_CHECKING:
    from livematte._live import Live

POLL_S = 1.0
"""How often the presets' file is looked at."""

MOST_PIXELS = 40_000_000
"""Of a picture that is sent: more than cameras of telephones make, and 120 MB while it is decoded."""

KEPT_PX = 1920
"""Longer side of a picture as it is kept: more than a background of 1080p shows."""

FROM_OUTSIDE = ("blur", "color", "grey", "image", "off", "transparent")
"""Effects that may be asked for. Others may read files, which nobody outside is to name."""

PICTURE = "image"
"""Effect: the picture that was sent."""

MODEL_LETTERS = set("abcdefghijklmnopqrstuvwxyz0123456789-_.:?=&,+")
"""Of a model's name; a path has others."""

LEAVE_S = 5.0
"""A stream ends by then, or its thread is left behind."""


class Desk:
    """Steers one live stream. Everything may be called from any thread.

    Args:
        settings: what the stream was started with; effect and model are named.
        presets: the user's; they are read again when the file changes.
        start: makes a stream of the settings where it may be started and ended from here. It is to
            pass its sink through `watch`.

    Attributes:
        preview: of the output; None before there is a stream.
    """

    def __init__(
        self, settings: Preset, presets: PresetFile | None = None, start: Callable[[Desk], Live] | None = None
    ) -> None:
        self.settings = settings
        self.presets = presets or PresetFile()
        self.preview: Preview | None = None
        self._start = start
        self._live: Live | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.RLock()
        self._picture: U8 | None = None
        self._picture_name: str | None = None
        self._preset: str | None = None
        self._ended: str | None = None  # why the stream did
        self._unfollowed: str | None = None  # why the chosen preset cannot be followed to what its file says now
        self._closed = threading.Event()
        self._painter = self._made(settings)

    # the stream

    def watch(self, sink: Sink) -> Sink:
        """The sink with a preview before it: for the stream that is steered here."""
        self.preview = Preview(sink)
        return self.preview

    def attach(self, live: Live) -> None:
        """Steer this stream."""
        self._live = live

    def __enter__(self) -> Desk:
        threading.Thread(target=self._keep_up, name="livematte-presets", daemon=True).start()
        return self

    def __exit__(self, *exc: Any) -> None:
        self._closed.set()
        if self._start is not None:
            self.stop()

    def start(self) -> None:
        """Start the stream.

        Raises:
            OptionError: it cannot be started from here, or it runs.
            LivematteError: it cannot be opened.
        """
        with self._lock:
            if self._start is None:
                raise OptionError("this stream was started elsewhere; run livematte live to start another")
            if self._thread is not None and self._thread.is_alive():
                raise OptionError("the stream is running already")
            self._ended = None
            live = self._live = self._start(self)
            self._thread = threading.Thread(target=self._run, args=(live,), name="livematte-live", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the stream."""
        with self._lock:
            live, thread = self._live, self._thread
            if live is not None:
                live.stop()
        if thread is not None:
            thread.join(LEAVE_S)

    def pause(self) -> None:
        """Close the camera; the background alone goes out."""
        self._running().pause()

    def resume(self) -> None:
        """Open the camera again."""
        self._running().resume()

    def take_room(self) -> None:
        """Count down, and take a picture of the room without people; `status` tells what came of it."""
        self._running().take_room()

    def drop_room(self) -> None:
        """Forget the picture of the room."""
        with self._lock:
            if self._live is not None:
                self._live.set_room(None)
            self.settings = replace(self.settings, room=None)
            self._preset = None

    # what it looks like

    @property
    def painter(self) -> Effect:
        """The effect that is chosen."""
        return self._painter

    def change(self, values: Mapping[str, Any]) -> None:
        """Take other settings; those that are not named stay.

        Args:
            values: keys of a preset, and `strength` of a blur.

        Raises:
            LivematteError: one of them cannot be; nothing has changed then.
        """
        given = dict(values)
        with self._lock:
            if "strength" in given:
                given["effect"] = self._with_strength(given.pop("strength"), given.get("effect"))
            asked = preset(given)
            self._check_from_outside(asked)
            self._put(replace(self.settings, **asked.given()), asked)
            self._preset = None

    def choose(self, name: str) -> None:
        """Take a preset.

        Raises:
            LivematteError: there is none of this name, or it cannot be; nothing has changed then.
        """
        with self._lock:
            self.presets.refresh()
            found = self.presets.find(name)
            self._put(found.after(self.settings), found)
            self._preset = name

    def save(self, name: str) -> None:
        """Keep the settings as a preset. A picture that was sent is written beside the presets.

        Raises:
            OptionError: a name or a file that cannot be written.
        """
        check_name(name)
        with self._lock:
            kept, about = self.settings, self._live.status() if self._live is not None else {}
            if about and not about["loading"]:  # one that could not be loaded is not worth keeping
                kept = replace(kept, model=about["model"])
            if about and about["room"]["source"] not in (None, kept.room):  # it was taken, and ends with the stream
                kept = replace(kept, room=None)
            if kept.effect == PICTURE and self._picture is not None:
                kept = replace(kept, effect=f"image:{self._written_picture(name)}")
            self.presets.save(name, kept)
            self._preset = name

    def delete(self, name: str) -> None:
        """Forget a preset.

        Raises:
            OptionError: there is none, or the file cannot be written.
        """
        with self._lock:
            self.presets.delete(name)
            if self._preset == name:
                self._preset = self._unfollowed = None

    def take_picture(self, data: bytes, name: str) -> None:
        """Make a picture the background. Nothing of it is written to disk.

        Args:
            data: of a PNG, JPEG or WebP file.
            name: to show.

        Raises:
            OpenError: not such a picture, or too large a one; nothing has changed then.
        """
        from livematte.control._picture import read

        picture = read(data, MOST_PIXELS, KEPT_PX)
        with self._lock:
            before = self._picture, self._picture_name
            self._picture, self._picture_name = picture, "".join(filter(str.isprintable, name))[:80] or "picture"
            try:
                self._put(replace(self.settings, effect=PICTURE))
            except LivematteError:
                self._picture, self._picture_name = before
                raise
            self._preset = None

    def status(self) -> dict[str, Any]:
        """How everything is, as plain values; see docs/control.md."""
        live, painter, settings = self._live, self._painter, self.settings
        chosen = {key: getattr(painter, key, getattr(settings, key)) for key in LOOK}
        about = live.status() if live is not None else None
        return {
            "running": live is not None and (self._start is None or self._is_alive()),
            "startable": self._start is not None,
            "settings": {
                "effect": settings.effect,
                "model": settings.model,
                **chosen,
                "bokeh": bool(chosen["bokeh"]),
                "match": settings.match or 0.0,
                "framing": bool(settings.framing),
                "mirror": bool(settings.mirror),
            },
            "picture": self._picture_name,
            "preset": self._preset,
            "presets": list(self.presets.presets),
            "presets_error": self.presets.error,
            "live": about,
            "error": self._ended or self._unfollowed or (about or {}).get("error"),
        }

    def _put(self, wanted: Preset, asked: Preset | None = None) -> None:
        """Make settings those of the stream, all or none of them.

        Args:
            asked: what was asked for now: a network that could not be loaded before, or an effect whose film
                was gone, is tried again.
        """
        from livematte._spelling import spelled

        before, live, model = self.settings, self._live, asked and asked.model
        about = live.status() if live is not None else {}
        room = about["room"]["source"] if about else None
        if model:
            _registry.load("models", _registry.split(model)[0])
        look = ("effect", *LOOK)
        painter = self._painter
        lost = asked and asked.effect and about and about["effect"] != spelled(painter)
        if lost or any(getattr(wanted, key) != getattr(before, key) for key in look) or wanted.effect == PICTURE:
            painter = self._made(wanted)
        if live is not None:
            other = asked is not None and asked.room is not None and asked.room != (room or "")
            picture = live.read_room(asked.room) if other and asked and asked.room else None  # refused before all else
            if painter is not self._painter:
                live.set_effect(painter)
            in_vain = live.dismiss()
            if model and (model != before.model or model != about["model"]):
                live.set_model(model)
            elif in_vain and wanted.model == in_vain:
                wanted = replace(wanted, model=about["model"])
            if bool(wanted.framing) != bool(before.framing):
                live.set_framing(bool(wanted.framing))
            if other:
                live.set_room(picture)
            if bool(wanted.mirror) != bool(before.mirror):
                live.set_mirror(bool(wanted.mirror))
        self.settings, self._painter, self._unfollowed = wanted, painter, None

    def _made(self, settings: Preset) -> Effect:
        if settings.effect != PICTURE:
            return settings.painter()
        if self._picture is None:
            raise OptionError("no picture has been sent yet; send one first")
        look = {key: value for key, value in settings.given().items() if key in LOOK and key != "bokeh"}
        return Image(self._picture, **look)

    def _check_from_outside(self, asked: Preset) -> None:
        """Paths are for who sits at this machine: on the command line, or in the presets."""
        kind, argument = _registry.split(asked.effect or "blur")
        if asked.effect != self.settings.effect and (
            kind not in FROM_OUTSIDE or (kind in WITH_PATH and argument is not None)
        ):
            raise OptionError(
                f"the effect {asked.effect!r} cannot be asked for from outside: send the picture itself, or choose a "
                f"preset; else there are {', '.join(FROM_OUTSIDE)}"
            )
        if asked.room and asked.room != self.settings.room:
            raise OptionError("a file of the room cannot be named from outside: take the room, or choose a preset")
        model = asked.model or ""
        if model != self.settings.model and (not set(model) <= MODEL_LETTERS or model.startswith("custom:")):
            raise OptionError("a network of your own cannot be asked for from outside: name it in a preset")

    def _with_strength(self, strength: Any, effect: Any) -> str:
        kind, _ = _registry.split(effect if isinstance(effect, str) else self.settings.effect or "blur")
        if kind != "blur":
            raise OptionError(f"strength belongs to the effect blur, and {kind} is chosen")
        if isinstance(strength, bool) or not isinstance(strength, (int, float)) or not 0 <= strength <= 1:
            raise OptionError(f"strength: must be a number from 0.1 to 1, got {strength!r:.40}")
        return f"blur:{float(strength):.6g}"

    def _written_picture(self, name: str) -> Path:
        """The picture that was sent, as a file beside the presets."""
        from livematte.sinks import open_sink

        path = self.presets.path.resolve().parent / "pictures" / f"{_file_name(name)}.png"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise OptionError(f"cannot make the folder {path.parent}: {exc.strerror}") from exc
        picture: Any = self._picture
        with open_sink(path) as sink:
            sink.write(Frame.from_rgb(picture))
        return path

    def _running(self) -> Live:
        live = self._live
        if live is None or (self._start is not None and not self._is_alive()):
            raise OptionError("the stream is not running; start it first")
        return live

    def _is_alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _run(self, live: Live) -> None:
        try:
            live.run()
        except LivematteError as exc:
            self._ended = str(exc)
        except Exception as exc:  # a thread has nobody else to tell
            self._ended = f"{type(exc).__name__}: {exc} (not expected: please report it)"

    def _keep_up(self) -> None:
        """Read the presets again when the file has changed, and the chosen one with them."""
        while not self._closed.wait(POLL_S):
            self.keep_up()

    def keep_up(self) -> None:
        """Look at the presets' file once."""
        with self._lock:
            if not self.presets.refresh() or self._preset not in self.presets.presets:
                return
            found = self.presets.find(self._preset)
            try:
                self._put(found.after(self.settings), found)
            except LivematteError as exc:
                self._unfollowed = f"preset {self._preset!r}: {exc}"


def _file_name(name: str) -> str:
    """A preset's name as that of a file. Where letters are lost, or capitals may be, a checksum keeps two presets
    from sharing a picture."""
    safe = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "-_") else "-" for letter in name)
    return name if safe == name.lower() else f"{safe}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
