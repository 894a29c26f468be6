/** Frames by streams: Chromium's transferred ones, and Safari's, made in the worker from a transferred track. */

import type { Transport } from "../protocol.js";

export interface Stream {
  /** Settles when the track has ended or `stop` was called. */
  readonly ended: Promise<void>;
  /** The output's track, where it is made in the worker. */
  readonly track?: MediaStreamTrack;
  stop(): void;
}

/** Safari makes both ends in the worker. */
interface SafariScope {
  MediaStreamTrackProcessor: new (init: { track: MediaStreamTrack }) => { readable: ReadableStream<VideoFrame> };
  VideoTrackGenerator: new () => { writable: WritableStream<VideoFrame>; track: MediaStreamTrack };
}

export type Render = (frame: VideoFrame, skipped: number) => Promise<VideoFrame | null>;

/** Pump frames through `render`, one at a time; the browser drops those that come meanwhile. */
export function pump(transport: Exclude<Transport, { kind: "element" }>, render: Render, interval_us: number): Stream {
  let { readable, writable, track } = transport.kind === "streams" ? { ...transport, track: undefined } : inWorker(transport.track);
  const reader = readable.getReader();
  const writer = writable.getWriter();
  let stopped = false;
  const ended = (async () => {
    let before_us = NaN;
    for (;;) {
      const { value: frame, done } = await reader.read();
      if (done || stopped) {
        frame?.close();
        break;
      }
      const skipped = Math.max(Math.round((frame.timestamp - before_us) / interval_us) - 1, 0) || 0;
      before_us = frame.timestamp;
      const out = await render(frame, skipped);
      if (!out) continue;
      if (stopped) {
        out.close();
        break;
      }
      await writer.write(out);
    }
  })()
    .catch(() => undefined) // the output was closed by its reader: there is nobody to send to
    .finally(() => {
      void reader.cancel().catch(() => undefined);
      void writer.close().catch(() => undefined);
      if (transport.kind === "track") transport.track.stop(); // our clone, which keeps the camera on
    });
  return {
    ended,
    ...(track ? { track } : {}),
    stop() {
      stopped = true;
      void reader.cancel().catch(() => undefined);
    },
  };
}

function inWorker(camera: MediaStreamTrack): { readable: ReadableStream<VideoFrame>; writable: WritableStream<VideoFrame>; track: MediaStreamTrack } {
  const scope = self as unknown as SafariScope;
  const { writable, track } = new scope.VideoTrackGenerator();
  return { readable: new scope.MediaStreamTrackProcessor({ track: camera }).readable, writable, track };
}
