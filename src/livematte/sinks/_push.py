"""The program that sends a push into the network: `python -m livematte.sinks._push`.

It is a process of its own because PyAV connects without letting other threads run, and because FFmpeg, once it
waits for a network, can be ended in no other way. On its standard input it finds a line of JSON and, after it, an
encoded stream as NUT; it says a word on its standard output when it is connected, and why it gave up on the other.
"""

from __future__ import annotations

import json
import os
import sys
from typing import IO

NO_PROTOCOL = 3
"""Exit code: this FFmpeg does not know the address's protocol."""

AT_ONCE = {"probesize": "32", "analyzeduration": "0", "fpsprobesize": "0"}
"""NUT says in its header what comes; one packet is read to see."""


def main() -> int:
    """Send until the input ends.

    Returns:
        The exit code: 0 sent to the end, 1 the network failed, `NO_PROTOCOL`.
    """
    import av
    from av.error import FFmpegError, ProtocolNotFoundError

    from livematte._av import reason

    given = os.fdopen(0, "rb", 0)
    try:
        wanted = json.loads(_line(given))
        with (
            av.open(given, format="nut", options=AT_ONCE) as packets,
            av.open(wanted["url"], "w", format=wanted["format"], container_options=wanted["options"]) as network,
        ):
            coming = packets.streams.video[0]
            going = network.add_stream_from_template(coming)
            going.time_base = coming.time_base
            network.start_encoding()
            os.write(1, b"connected\n")
            for packet in packets.demux(coming):
                if packet.size:
                    packet.dts = packet.pts if packet.dts is None else packet.dts  # no frame waits for another
                    packet.stream = going
                    network.mux(packet)
    except ProtocolNotFoundError:
        return NO_PROTOCOL
    except (FFmpegError, OSError, ValueError) as exc:
        os.write(2, reason(exc).encode() + b"\n")
        return 1
    return 0


def _line(given: IO[bytes]) -> bytes:
    """The first line, and not a byte more."""
    line = b""
    while not line.endswith(b"\n"):
        byte = given.read(1)
        if not byte:
            raise ValueError("nothing was asked for")
        line += byte
    return line


if __name__ == "__main__":
    sys.exit(main())
