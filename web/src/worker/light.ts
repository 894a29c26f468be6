/** The person in the light of the new background; docs/spec/compositing.md, "Match". src/livematte/refine/light.py has the same. */

import type { Gains, Matte, Size } from "../render/renderer.js";

/** Cells in which the plate's mean is taken. */
const GRID: Size = { width: 64, height: 36 };
/** Part of the picture that people must take up. */
const FEWEST = 0.005;
/** How far, as powers of the ratio of means, the person follows the plate at match 1. */
const [BRIGHTNESS, TINT] = [0.35, 0.2];
/** Bounds of a channel's gain, in linear light. */
const [LEAST, MOST] = [0.7, 1.4];
const SETTLING_S = 2;
const LONGEST_STEP_S = 0.5;
const LUMINANCE: Gains = [0.2126, 0.7152, 0.0722];
const DARKEST = 1e-4;
/** A film is looked at so often: its light is followed over seconds. */
const LOOK_EVERY_MS = 500;

/** Logarithms of the gains of linear R, G and B, and the frame they were made for. */
export interface Adapted {
  readonly gains: Gains;
  readonly timestamp_us: number;
}

/** A new background's light. */
export interface PlateLight {
  /** Mean linear R, G and B of what is seen of it behind a frame of this size. */
  mean(frame: Size): Gains;
}

/**
 * Gains of the person, on their way to those that fit the plate.
 * @param picture RGB 0-1 of the matte's size, from which it was made.
 * @param state null at the start of a stream, whose first picture gets its gains at once.
 * @returns the state as it was where there is nobody.
 */
export function matchLight(picture: Float32Array, matte: Matte, plate: Gains, amount: number, state: Adapted | null): Adapted | null {
  const person = lightOf(picture, matte.alpha);
  if (!person) return state;
  const wanted = gainsOf(person, plate, amount);
  if (!state) return { gains: wanted, timestamp_us: matte.timestamp_us };
  const step_s = Math.min(Math.max((matte.timestamp_us - state.timestamp_us) / 1e6, 0), LONGEST_STEP_S);
  const part = 1 - Math.exp(-step_s / SETTLING_S);
  return { gains: mapped((c) => state.gains[c] + (wanted[c] - state.gains[c]) * part), timestamp_us: matte.timestamp_us };
}

/** Gains of code values: roots of those of light. */
export const codeGains = ({ gains }: Adapted): Gains => mapped((c) => Math.exp(gains[c] / 2));

/** A plain background. */
export function plainLight(rgb: Gains): PlateLight {
  const mean = mapped((c) => Math.max((rgb[c] / 255) ** 2, DARKEST));
  return { mean: () => mean };
}

/** A picture's or a film's frame's, taken at once: the picture may be closed afterwards. */
export function pictureLight(picture: ImageBitmap | VideoFrame): PlateLight {
  const [width, height] = picture instanceof ImageBitmap ? [picture.width, picture.height] : [picture.displayWidth, picture.displayHeight];
  const context = new OffscreenCanvas(GRID.width, GRID.height).getContext("2d", { alpha: false }) as OffscreenCanvasRenderingContext2D;
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, 0, 0, GRID.width, GRID.height);
  const { data } = context.getImageData(0, 0, GRID.width, GRID.height);
  return {
    mean(frame) {
      const scale = Math.max(frame.width / width, frame.height / height);
      // cells that are cut off on each side, to the nearest one
      const left = Math.round((GRID.width * (1 - frame.width / (scale * width))) / 2);
      const top = Math.round((GRID.height * (1 - frame.height / (scale * height))) / 2);
      const sum: [number, number, number] = [0, 0, 0];
      for (let y = top; y < GRID.height - top; y++) for (let x = left; x < GRID.width - left; x++) for (const c of CHANNELS) sum[c] += ((data[4 * (y * GRID.width + x) + c] as number) / 255) ** 2;
      const cells = (GRID.width - 2 * left) * (GRID.height - 2 * top);
      return mapped((c) => Math.max(sum[c] / cells, DARKEST));
    },
  };
}

/** The light of the background that is shown now. */
export class Plate {
  private light: PlateLight | null = null;
  private looked_ms = -Infinity;

  /** Another effect: a colour, or null where a picture is to come or there is none. */
  exchange(rgb: Gains | null): void {
    this.light = rgb && plainLight(rgb);
    this.looked_ms = -Infinity;
  }

  see(picture: ImageBitmap | VideoFrame, now_ms: number): void {
    if (now_ms - this.looked_ms < LOOK_EVERY_MS) return;
    this.looked_ms = now_ms;
    this.light = pictureLight(picture);
  }

  mean(frame: Size): Gains | null {
    return this.light && this.light.mean(frame);
  }
}

const CHANNELS = [0, 1, 2] as const;
const mapped = (value: (c: 0 | 1 | 2) => number): Gains => [value(0), value(1), value(2)];
const luminance = (light: Gains): number => light[0] * LUMINANCE[0] + light[1] * LUMINANCE[1] + light[2] * LUMINANCE[2];

/** Mean linear R, G and B by alpha; light is the square of a code value. Null where there are hardly any people. */
function lightOf(picture: Float32Array, alpha: Float32Array): Gains | null {
  const sum: [number, number, number] = [0, 0, 0];
  let weight = 0;
  for (let i = 0; i < alpha.length; i++) {
    const a = alpha[i] as number;
    if (!(a > 0)) continue;
    weight += a;
    for (const c of CHANNELS) sum[c] += a * (picture[3 * i + c] as number) ** 2;
  }
  return weight < FEWEST * alpha.length ? null : mapped((c) => Math.max(sum[c] / weight, DARKEST));
}

function gainsOf(person: Gains, plate: Gains, amount: number): Gains {
  const brightness = Math.log(luminance(plate) / luminance(person));
  return mapped((c) => Math.min(Math.max(amount * (BRIGHTNESS * brightness + TINT * (Math.log(plate[c] / person[c]) - brightness)), Math.log(LEAST)), Math.log(MOST)));
}
