/** What a renderer must offer. `cpu.ts` and `webgl.ts` are the two there are. */

import type { Effect, RendererName } from "../types.js";

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** Alpha 0-1 at the network's size, of the picture as it is shown, 1 = person, made from the frame of this timestamp. */
export interface Matte {
  readonly alpha: Float32Array; // height x width
  readonly size: Size;
  readonly timestamp_us: number;
}

/** Of red, green and blue. */
export type Gains = readonly [number, number, number];

/** An effect with every option filled in. Sources of pictures are loaded elsewhere, see Backdrop. */
export interface Painting {
  readonly type: Effect["type"];
  readonly strength: number;
  readonly bokeh: boolean;
  readonly rgb: readonly [number, number, number];
  readonly lightWrap: number;
  readonly despill: boolean;
  readonly softness: number;
  readonly match: number;
  /** What the person's code values are multiplied by; absent for nothing. */
  readonly gain?: Gains;
}

/** The part of the output that is shown at its size: of the picture as it is shown, in units of WHOLE. */
export interface Crop {
  readonly left: number;
  readonly top: number;
  readonly side: number; // of both sides
}

/** The whole picture. */
export const WHOLE = 65536;

/** A finished picture: one frame, or several of whole rows that make it up from top to bottom. */
export type Picture = readonly [VideoFrame, ...VideoFrame[]];

/** How a frame is drawn on a rung of the ladder. */
export interface Quality {
  /** Follow the picture's edges at full size. */
  readonly refine: boolean;
  /** Half the sides of the frame. */
  readonly halfSize: boolean;
}

/**
 * Draws frames. Calls come one after the other: read(), then paint() for the same frame.
 *
 * Law: the camera's pixels leave through paint() alone, under a matte of the frame that was read,
 * or one at most MAX_MATTE_AGE_US older. Without a matte the output is the plate alone.
 */
export interface Renderer {
  readonly name: RendererName;

  /**
   * Take in a camera frame; the caller still owns and closes it.
   * @returns RGB 0-1 at the network's size, turned and mirrored as it is shown, (height, width, 3); valid until the next call.
   */
  read(frame: VideoFrame, network: Size, quality: Quality): Promise<Float32Array>;

  /** Luma 0-255 of what the last read() gave, the same way up; valid as long. */
  readonly luma: Float32Array;

  /**
   * Paint the frame that was read last.
   * @param matte null covers the frame: the plate alone, or for blur a fully blurred picture.
   * @param crop the part that is shown, cut out of the finished picture; null shows all of it.
   * @param strips whether the picture may come in strips, see pictureOf().
   * @returns a new picture with the time of the frame that was read, shown the same way up; the caller closes its frames.
   */
  paint(matte: Matte | null, painting: Painting, quality: Quality, crop?: Crop | null, strips?: boolean): Promise<Picture>;

  /** The picture behind the person for `image` and `video`; kept by the renderer, which closes it. Null shows black. */
  setBackdrop(picture: ImageBitmap | VideoFrame | null): void;

  /** Time of the parts of the last paint, in milliseconds. */
  readonly spent: { refine: number; effect: number; composite: number };

  /** Make the graphics context fail, for tests. */
  loseContext?(): void;

  /** Free everything; twice is fine. */
  close(): void;
}

/** How old a matte may be where inference skips frames: three frames at 15 a second. */
export const MAX_MATTE_AGE_US = 200_000;

/** Variance of the guided filter's guide below which an edge is texture; src/livematte/refine/guided.py has the same. */
export const GUIDED_EPSILON = 4e-3;

/** Cells in which the guided filter is fitted: how many pixels of the network's input they are wide, half the window, and their grid. */
export interface Cells extends Size {
  readonly reduce: number;
  readonly radius: number;
}

/** Cells for a network's input; they must not reach beyond it. */
export function guidedCells({ width, height }: Size): Cells {
  const reduce = width % 2 || height % 2 ? 1 : 2;
  return { reduce, radius: 4 / reduce, width: width / reduce, height: height / reduce };
}

/** Standard deviation of the blur at strength 1, reach of the rim and of wrapped light, as parts of the shorter side. */
export const SIGMA_OF_HEIGHT = 0.05;
export const RIM_OF_HEIGHT = 0.012;
export const WRAP_OF_HEIGHT = 0.015;

/** Gain of alpha about one half at softness 0, before the fit and again after it. */
export const STEEPEST_GAIN = 1.8;

/** Least strength of the blur where nobody is seen: such a picture must not be read. */
export const COVER_STRENGTH = 0.6;
