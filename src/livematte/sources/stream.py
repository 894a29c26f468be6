"""Network streams: RTSP, RTMP, SRT, HTTP, UDP, read with as little delay as they allow."""

from __future__ import annotations

from urllib.parse import urlsplit

from livematte._address import without_secrets
from livematte._errors import OptionError
from livematte.sources._device import Device

SCHEMES = ("http", "https", "rtmp", "rtmps", "rtsp", "rtsps", "srt", "tcp", "udp")
"""Addresses that are streams."""

ALLOWED = "crypto,data,hls,http,https,httpproxy,rtmp,rtmps,rtp,rtsp,rtsps,srt,tcp,tls,udp"
"""What a stream may lead to: a playlist from the network must not open files of this machine."""

TIMEOUT_S = 5.0
"""Silence after which a stream is lost; the plate has covered it long before."""

PROBE = {"probesize": "500000", "analyzeduration": "500000"}
"""Bytes and microseconds that FFmpeg looks at before the first frame: a key frame of most streams."""


def create(argument: str | None, *, timeout_s: float = TIMEOUT_S) -> Device:
    """`stream:rtsp://host/path`, or just the address.

    Args:
        argument: the address.
        timeout_s: of opening, and of silence.

    Raises:
        OpenError: nothing answers there, or it gives no video.
        OptionError: not an address of a stream.
    """
    scheme = urlsplit(argument or "").scheme.lower()
    given = without_secrets(argument or "")
    if argument is None or scheme not in SCHEMES:
        raise OptionError(f"a stream's address begins with {', '.join(s + '://' for s in SCHEMES)}; got {given!r}")
    options = {"protocol_whitelist": ALLOWED, **PROBE}
    if scheme.startswith("rtsp"):
        options["rtsp_transport"] = "tcp"  # every packet, in order; UDP loses some and waits for others
    return Device(given, argument, None, options, timeout_s=timeout_s, hint="is it on the air?")
