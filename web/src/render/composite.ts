/**
 * composite(): the only door from camera pixels to an output, on the CPU.
 *
 * It is the one function that writes `desk.out`, and `desk.out` is all that becomes a frame.
 * alpha 0 gives the plate alone; there is no branch that copies the camera's picture.
 */

import type { Desk } from "./desk.js";
import { cellGrid, I420, LM_PLANE_BYTES, type Kernels, type Planes, ROUGH_CELLS } from "./kernels.js";
import { type Matte, MAX_MATTE_AGE_US, WRAP_OF_HEIGHT } from "./renderer.js";

/** Whether a matte may be used for the frame of this time: made from it, or from one a little older. */
export function fits(matte: Matte | null, timestamp_us: number): matte is Matte {
  if (!matte) return false;
  const age_us = timestamp_us - matte.timestamp_us;
  return age_us >= 0 && age_us <= MAX_MATTE_AGE_US;
}

/**
 * Draw `foreground` over `plate` into `desk.out` by the alpha at address `alpha`:
 * out = a F + (1 - a) B, docs/spec/compositing.md.
 */
export function composite(kernels: Kernels, desk: Desk, foreground: Planes, alpha: number, plate: Planes, lightWrap: number): void {
  const { lm } = kernels;
  let [light, wrap] = [0, 0];
  if (lightWrap > 0) {
    const { width, height } = desk.size;
    const { reduce, sigma } = cellGrid(WRAP_OF_HEIGHT * Math.min(width, height), ROUGH_CELLS);
    const cells = desk.light(reduce);
    lm.lm_wrap_map(plate.read, I420, alpha, width, height, sigma, lightWrap, cells.written, cells.at[3] as number, desk.scratch);
    [light, wrap] = [cells.read, cells.read + 3 * LM_PLANE_BYTES];
  }
  lm.lm_composite(foreground.read, I420, alpha, plate.read, light, wrap, desk.out.pointers, desk.scratch);
}
