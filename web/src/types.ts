/** The public vocabulary. Times are milliseconds (`_ms`), sizes pixels. */

/** 3 to 64 corners of a polygon: x and y from 0,0 at the top left to 1,1. */
export type Zone = readonly (readonly [number, number])[];

/** Switches that every effect shares. */
export interface Look {
  /** How much of a bright plate falls on the person's rim, 0-1. Default 0; 0.3 for image and video. */
  lightWrap?: number;
  /** Estimate the person's true colour at the rim. Default false for blur and off, else true. */
  despill?: boolean;
  /** Width of the matte's edge, 0 (crisp) to 1 (as soft as the network leaves it). Default 0.3. */
  softness?: number;
  /** How far the person's brightness and white balance follow the new background, 0-1. Only for image, video and color. Default 0. */
  match?: number;
  /** Who stays: everyone, or only the people nearest the camera; others fade out. Default everyone. */
  who?: "everyone" | "nearest";
  /** Polygons of points x, y in parts of the upright picture, 0-1: only what is inside one of them stays. Default: everything. */
  zones?: readonly Zone[];
}

/** What the background becomes. `off` shows the camera as it is: nothing falls back to it. */
export type Effect = Look &
  (
    | { type: "blur"; /** 0.1-1, default 0.6 */ strength?: number; /** Blur as a lens does: lamps become discs. Default false. */ bokeh?: boolean }
    | { type: "image"; src: string | URL | Blob }
    | { type: "video"; src: string | URL | Blob }
    | { type: "color"; /** `#rrggbb` or three numbers 0-255; default the green of chroma-key paint */ rgb?: string | readonly [number, number, number] }
    | { type: "transparent" }
    | { type: "off" }
  );

export type ModelName = "livematte" | "mediapipe:landscape" | "mediapipe:general" | "bodypix:mobilenet-050-s8" | `bodypix:mobilenet-${"050" | "075" | "100"}-s16${"" | "-q2" | "-q1"}`;

/** A name of PARTS, or what several of them have in common. */
export type BodyPart = (typeof import("./parts.js").PARTS)[number][0] | "face" | "arm" | "upper_arm" | "lower_arm" | "hand" | "torso" | "leg" | "upper_leg" | "lower_leg" | "feet" | `${"left" | "right"}_${"arm" | "leg" | "upper_arm" | "lower_arm" | "upper_leg" | "lower_leg"}`;

export interface ModelOptions {
  /** Body parts that count as the person, others go with the background; only of BodyPix with parts. Default: all of them. */
  parts?: readonly BodyPart[];
}

/** Which part of a body each pixel shows: a number of PARTS, or -1 where nobody is. */
export interface PartMap {
  readonly width: number;
  readonly height: number;
  readonly data: Int8Array; // row by row, of the whole picture as it is shown
  /** Of the frame it was made from, in microseconds. */
  readonly timestamp: number;
}
export type RendererName = "cpu" | "webgl";
export type EngineName = "wasm" | "webgpu";

/** Rungs of the quality ladder, best first; see docs/spec/governor.md. */
export type RungName = "large-input" | "full" | "every-2nd" | "every-3rd" | "no-refinement" | "half-size";

export interface Options extends ModelOptions {
  effect?: Effect;
  model?: ModelName;
  /** Folder of the files in `dist/assets`, of the page's own origin. Default: `assets/` beside the module. */
  assetBase?: string | URL;
  /** Picture of the room without people, by the same camera from the same place: it sharpens the matte. See setRoom(). */
  room?: string | URL | Blob;
  /** Steady the matte over time. Default true. */
  temporal?: boolean;
  /** Show the part of the output in which the people are, at its size; it follows them calmly. Default false. */
  framing?: boolean;
  /** `auto` measures and decides; a name insists, even on a software rasteriser. */
  renderer?: RendererName | "auto";
  engine?: EngineName | "auto";
  /** Lower the quality to keep up. Default true. */
  governor?: boolean;
}

export type Stage = "read" | "segment" | "refine" | "effect" | "composite" | "write" | "total";

export interface Percentiles {
  p50_ms: number;
  p95_ms: number;
}

export interface RungChange {
  at_ms: number;
  rung: RungName;
  why: string;
}

/** Figures of the running stream, at most half a second old. */
export interface Stats {
  model: ModelName;
  /** Frames that went out, those among them that were covered, and frames of the camera that were skipped. */
  frames: number;
  covered: number;
  dropped: number;
  fps: number;
  /** Size of the output; null before the first frame. */
  size: { width: number; height: number } | null;
  stages: Partial<Record<Stage, Percentiles>>;
  renderer: { name: RendererName; why: string };
  engine: { name: EngineName; why: string };
  /** How frames travel: Chromium's streams, Safari's transferred track, or a video element. */
  transport: "streams" | "track" | "element" | null;
  rung: RungName;
  rungs: readonly RungChange[];
  /** How far the picture of the room is trusted, 0-1: 0 while the camera moves or stands elsewhere. Null without one. */
  room: number | null;
  /** From createBackground() to the first frame with a matte; null before it. */
  firstMatte_ms: number | null;
}

/** Events of a Background; each is a CustomEvent with the detail named here. */
export interface BackgroundEvents {
  /** The first frame with a matte went out. */
  ready: Stats;
  /** Something failed; the output is covered until it works again. */
  error: import("./errors.js").LivematteError;
  /** The quality ladder moved. */
  rung: RungChange;
  /** The camera's track ended; the output's has, too. */
  ended: null;
}
