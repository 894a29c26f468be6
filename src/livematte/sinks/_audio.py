"""Sound on its way past: packets of the input go into the output as they are.

The input is opened a second time and read only as far as the video has come, so memory
stays flat however long it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from livematte._av import reason
from livematte._errors import SourceError

RECODED = {"webm": ("libopus", "Opus", 48_000), "mp4": ("aac", "AAC", None), "mov": ("aac", "AAC", None)}
"""By muxer, what sound becomes that it cannot hold: encoder, name, sample rate if it must be one."""

UNPLAYED = {("mp4", "vorbis")}
"""Sound that FFmpeg writes and players do not play: the MP4 registration authority has no Vorbis."""


class Audio:
    """All audio streams of a file.

    Args:
        path: the input.
        output: PyAV container being written; streams are added to it here.
        muxer: its format.
        notes: gets a line for every stream that had to be encoded anew or left out.
    """

    def __init__(self, path: str, output: Any, muxer: str, notes: list[str]) -> None:
        import av

        self._path = path
        self._output = output
        self._input = av.open("file:" + path)
        self._encoders: dict[int, Any] = {}
        self._copies: dict[int, Any] = {}
        taken = []
        for stream in self._input.streams.audio:
            codec = getattr(stream.codec_context, "name", None)
            try:
                if (muxer, codec) in UNPLAYED:
                    raise ValueError(f"{codec} is not for {muxer}")
                self._copies[stream.index] = output.add_stream_from_template(stream)
            except (ValueError, AttributeError):  # the container has no place for this codec
                if not self._recode(stream, muxer, notes):
                    continue
            taken.append(stream)
        self._packets: Iterator[Any] = self._input.demux(taken) if taken else iter(())
        self._next: Any = None

    def until(self, time_s: Fraction | None) -> None:
        """Write what begins up to `time_s`; None writes all there is.

        Raises:
            SourceError: the sound cannot be read.
        """
        from av.error import FFmpegError

        while True:
            if self._next is None:
                try:
                    self._next = next(self._packets, None)
                except FFmpegError as exc:
                    raise SourceError(f"cannot read the sound of {self._path}: {reason(exc)}") from exc
                if self._next is None:
                    return
            begins = self._next.dts
            if time_s is not None and begins is not None and begins * self._next.time_base > time_s:
                return
            packet, self._next = self._next, None
            self._write(packet)

    def finish(self) -> None:
        """Write the rest, and what encoders still hold."""
        self.until(None)
        for encoder in self._encoders.values():
            self._output.mux(encoder.encode(None))

    def close(self) -> None:
        """Free the input; twice is fine."""
        self._packets = iter(())
        self._input.close()

    def _write(self, packet: Any) -> None:
        index = packet.stream.index
        if index in self._copies:
            if packet.dts is not None:  # the empty packet at the end flushes decoders; a copy has none
                packet.stream = self._copies[index]
                self._output.mux(packet)
            return
        for frame in packet.decode():
            self._output.mux(self._encoders[index].encode(frame))

    def _recode(self, stream: Any, muxer: str, notes: list[str]) -> bool:
        if muxer not in RECODED or stream.codec_context is None:
            notes.append(f"the sound (stream {stream.index}) is left out: it cannot be put into this kind of file")
            return False
        encoder, name, rate = RECODED[muxer]
        new = self._output.add_stream(encoder, rate=rate or stream.codec_context.sample_rate)
        new.codec_context.layout = stream.codec_context.layout.name
        self._encoders[stream.index] = new
        notes.append(f"the sound is encoded anew as {name}: this kind of file cannot hold {stream.codec_context.name}")
        return True
