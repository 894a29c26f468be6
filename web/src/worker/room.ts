/** A picture of the empty room: what the network is unsure of is decided by the difference from it. */

import { type Kernels, planeSizes } from "../render/kernels.js";
import type { Size } from "../render/renderer.js";

/** By how much the room's width to height may differ from the frame's; src/livematte/refine/room.py has the same. */
const STRETCH = 0.01;

const RGB = 2; // enum lm_layout
const RGBA_ORDER = 0;
const COLOURS = 3;

export class Room {
  private readonly small = new Map<string, Float32Array>(); // one for each of the network's few sizes

  constructor(private readonly picture: ImageBitmap) {}

  /** Whether frames of this size, as they are shown, have its shape. */
  fits(frame: Size): boolean {
    const stretch = (this.picture.width * frame.height) / (this.picture.height * frame.width);
    return Math.abs(stretch - 1) <= STRETCH;
  }

  /** The room at the network's size, RGB 0-1, (height, width, 3). */
  at(kernels: Kernels, size: Size): Float32Array {
    const key = `${size.width}x${size.height}`;
    const known = this.small.get(key);
    if (known) return known;
    const made = this.reduced(kernels, size);
    this.small.set(key, made);
    return made;
  }

  private reduced(kernels: Kernels, { width, height }: Size): Float32Array {
    const { picture } = this;
    const full = { width: picture.width, height: picture.height };
    const context = new OffscreenCanvas(full.width, full.height).getContext("2d", { willReadFrequently: true }) as OffscreenCanvasRenderingContext2D;
    context.drawImage(picture, 0, 0);
    const pixels = context.getImageData(0, 0, full.width, full.height).data;
    kernels.reset();
    const rgba = kernels.take(pixels.length);
    kernels.bytes(rgba, pixels.length).set(pixels);
    const planes = kernels.planes(planeSizes(full, 1));
    kernels.lm.lm_rgba_to_planes(rgba, 4 * full.width, full.width, full.height, RGBA_ORDER, RGB, 0, ...(planes.at as [number, number, number]));
    const count = COLOURS * width * height;
    const [out, small] = [kernels.take(4 * count), kernels.take(4 * count)];
    const scratch = kernels.take(kernels.lm.lm_scratch_bytes(Math.max(full.width, 2 * width), Math.max(full.height, 2 * height)));
    kernels.lm.lm_downscale_rgb(planes.read, RGB, 0, out, width, height, 0, small, scratch);
    return kernels.floats(out, count).slice();
  }
}
