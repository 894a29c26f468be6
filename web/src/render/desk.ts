/** All the memory that drawing one size of picture takes, laid out once. */

import { stagingBytes } from "./frames.js";
import { I420, I444, type Kernels, type Planes, planeSizes } from "./kernels.js";
import type { Size } from "./renderer.js";

const FLOAT = 4;
const INT16 = 2;

export interface Desk {
  readonly full: Size; // of the camera's pictures
  readonly size: Size; // of what goes out
  readonly network: Size; // in the camera's orientation
  readonly staging: number;
  readonly camera: Planes; // as it came
  readonly frame: Planes; // the picture that is drawn: the camera's, or half its size
  readonly rgb: number; // float, network size, (height, width, 3)
  readonly guide: number; // float 0-255, network size: the planes, one behind the other
  readonly small: number; // alpha, float, network size
  readonly lines: number; // i16: slopes of three planes and offset of the guided filter
  readonly alpha: number; // u8, frame size
  readonly shown: number; // u8, frame size: 255 where alpha is above 0
  readonly foreground: Planes;
  readonly relit: Planes;
  readonly plain: Planes; // one pixel to be stretched
  readonly backdrop: Planes;
  readonly cells: (reduce: number) => Planes; // a small plate
  readonly light: (reduce: number) => Planes; // light, and the map of it behind
  readonly out: Planes;
  readonly cropped: Planes; // a part of `out` at its size
  readonly alphaOut: number; // lm_out of alpha
  readonly scratch: number;
}

/** Lay the desk; everything that lay there before is gone. */
export function layDesk(kernels: Kernels, full: Size, halfSize: boolean, network: Size): Desk {
  kernels.reset();
  const size = halfSize ? { width: (full.width + 1) >> 1, height: (full.height + 1) >> 1 } : full;
  const area = size.width * size.height;
  const small = network.width * network.height;
  const camera = kernels.planes(planeSizes(full, I420));
  const frame = halfSize ? kernels.planes(planeSizes(size, I420)) : camera;
  const alpha = kernels.planes([size]);
  const one = { width: 1, height: 1 };
  const widest = Math.max(full.width, 2 * network.width);
  const highest = Math.max(full.height, 2 * network.height);
  return {
    full,
    size,
    network,
    staging: kernels.take(stagingBytes(full)),
    camera,
    frame,
    rgb: kernels.take(3 * FLOAT * small),
    guide: kernels.take(3 * FLOAT * small),
    small: kernels.take(FLOAT * small),
    lines: kernels.take(4 * INT16 * small),
    alpha: alpha.data,
    shown: kernels.take(area),
    foreground: kernels.planes(planeSizes(size, I420)),
    relit: kernels.planes(planeSizes(size, I420)),
    plain: kernels.planes(planeSizes(one, I444)),
    backdrop: kernels.planes(planeSizes(size, I420)),
    cells: perGrid(kernels, size, 3),
    light: perGrid(kernels, size, 4),
    out: kernels.planes([...planeSizes(size, I420), size]), // the fourth plane is for alpha
    cropped: kernels.planes([...planeSizes(size, I420), size]),
    alphaOut: alpha.written,
    scratch: kernels.take(kernels.lm.lm_scratch_bytes(widest, highest)),
  };
}

/** Small planes for every side of cells that a blur may have, in the same memory. */
function perGrid(kernels: Kernels, size: Size, count: number): (reduce: number) => Planes {
  const sizes = (reduce: number): Size[] =>
    Array<Size>(count).fill({ width: Math.ceil(size.width / reduce), height: Math.ceil(size.height / reduce) });
  const largest = kernels.planes(sizes(2));
  const described = new Map([2, 4, 8, 16].map((reduce) => [reduce, kernels.describe(largest.data, sizes(reduce))]));
  return (reduce) => described.get(reduce) as Planes;
}
