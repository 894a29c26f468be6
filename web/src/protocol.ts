/** What the page and the worker say to each other. Every request with an `id` is answered by `done` or `failed`. */

import type { ErrorCode } from "./errors.js";
import type { Painting } from "./render/renderer.js";
import type { EngineName, ModelName, PartMap, RendererName, RungChange, Stats, Zone } from "./types.js";

/** An effect as the worker needs it: options filled in, pictures decoded. */
export interface EffectMessage {
  painting: Painting;
  who: "everyone" | "nearest";
  zones: readonly Zone[];
  /** Decoded picture of an image effect. */
  picture?: ImageBitmap;
}

/** How frames reach the worker and leave it. */
export type Transport =
  | { kind: "streams"; readable: ReadableStream<VideoFrame>; writable: WritableStream<VideoFrame> }
  | { kind: "track"; track: MediaStreamTrack }
  | { kind: "element" };

export type ToWorker =
  | {
      type: "open";
      id: number;
      assetBase: string;
      model: ModelName;
      effect: EffectMessage;
      room: ImageBitmap | null; // without people
      temporal: boolean;
      framing: boolean;
      renderer: RendererName | "auto";
      engine: EngineName | "auto";
      governor: boolean;
    }
  | { type: "start"; id: number; transport: Transport; fps: number }
  | { type: "frame"; frame: VideoFrame; skipped: number }
  | { type: "still"; id: number; frame: VideoFrame } // one frame, for tests: answered by `picture`
  | { type: "backdrop"; frame: VideoFrame } // the next frame of a video effect
  | { type: "effect"; id: number; effect: EffectMessage }
  | { type: "room"; id: number; room: ImageBitmap | null }
  | { type: "model"; id: number; model: ModelName; parts: readonly number[] | null } // which count as the person; null for all
  | { type: "parts"; id: number } // of the newest frame: answered by `map`
  | { type: "fault"; what: "engine" | "renderer" | "worker" | "context"; frames: number } // for tests: fail for so many frames
  | { type: "tick"; interval_ms: number } // 0 stops
  | { type: "halt" }; // the end of the track

export type FromWorker =
  | { type: "done"; id: number; track?: MediaStreamTrack }
  | { type: "failed"; id: number; code: ErrorCode; message: string }
  | { type: "picture"; id: number; frame: VideoFrame }
  | { type: "map"; id: number; map: PartMap | null }
  | { type: "opened"; tracks: boolean } // whether tracks can be read and made in the worker
  | { type: "tick" }
  | { type: "drawn"; strips: readonly ImageBitmap[] } // an element's frame, from top to bottom; none where nothing may be shown; the next may come
  | { type: "stats"; stats: Stats }
  | { type: "ready" }
  | { type: "rung"; change: RungChange }
  | { type: "error"; code: ErrorCode; message: string }
  | { type: "ended" };
