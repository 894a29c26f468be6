/** The matte of a frame: network, who stays, steadiness over time. */

import type { Kernels } from "../render/kernels.js";
import type { Matte, Size } from "../render/renderer.js";
import type { Segmenter } from "../segmenter/litert.js";

/** Area of a person who stays, as part of the largest one's; src/livematte/refine/nearest.py has the same. */
const SMALLEST_PART = 0.35;

export interface Wishes {
  readonly who: "everyone" | "nearest";
  readonly temporal: boolean;
}

/** A matte, and what the network gave for it: neither chosen from nor steadied. */
export interface Estimate extends Matte {
  readonly given: Float32Array;
}

/**
 * @param state the matte before, or null at the start of a stream. It comes in and goes out.
 * @throws LivematteError "engine".
 */
export async function estimate(segmenter: Segmenter, small: SmallKernels, picture: Float32Array, timestamp_us: number, wishes: Wishes, state: Estimate | null): Promise<Estimate> {
  const given = await segmenter.segment(picture, wishes.temporal ? (state?.given ?? null) : null);
  let alpha = given;
  if (wishes.who === "nearest") alpha = small.keepLargest(alpha, segmenter.size);
  if (wishes.temporal && state?.alpha.length === alpha.length) alpha = small.temporal(alpha, state.alpha);
  return { alpha, given, size: segmenter.size, timestamp_us };
}

/** Kernels that work on alpha at the network's size, in a module of their own: it serves every renderer. */
export class SmallKernels {
  private at: { size: number; now: number; before: number; out: number; scratch: number } | null = null;

  constructor(private readonly kernels: Kernels) {}

  temporal(alpha: Float32Array, before: Float32Array): Float32Array {
    const at = this.room({ width: alpha.length, height: 1 });
    this.kernels.floats(at.now, alpha.length).set(alpha);
    this.kernels.floats(at.before, alpha.length).set(before);
    this.kernels.lm.lm_temporal(at.now, at.before, at.out, alpha.length);
    return this.kernels.floats(at.out, alpha.length).slice();
  }

  keepLargest(alpha: Float32Array, size: Size): Float32Array {
    const at = this.room(size);
    this.kernels.floats(at.now, alpha.length).set(alpha);
    this.kernels.lm.lm_keep_largest(at.now, at.out, size.width, size.height, SMALLEST_PART, at.scratch);
    return this.kernels.floats(at.out, alpha.length).slice();
  }

  private room(size: Size): { now: number; before: number; out: number; scratch: number } {
    const count = size.width * size.height;
    if (this.at?.size !== count || size.height > 1) {
      this.kernels.reset();
      const [now, before, out] = [this.kernels.take(4 * count), this.kernels.take(4 * count), this.kernels.take(4 * count)];
      const scratch = this.kernels.take(this.kernels.lm.lm_scratch_bytes(2 * size.width, 2 * size.height));
      this.at = { size: count, now, before, out, scratch };
    }
    return this.at;
  }
}
