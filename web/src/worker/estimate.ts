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

/** Where the picture moves: its luma 0-255, and how much that changed in the frames before, 0-1; both at the network's size. */
export interface Motion {
  readonly luma: Float32Array;
  readonly moved: Float32Array;
}

/** A matte, and what the next frame of the stream must know. */
export interface Estimate extends Matte {
  readonly given: Float32Array; // by the network: neither chosen from nor steadied
  readonly motion: Motion | null; // none where nothing is steadied
}

/**
 * @param luma of the picture, 0-255; not kept.
 * @param state the matte before, or null at the start of a stream. It comes in and goes out.
 * @throws LivematteError "engine".
 */
export async function estimate(segmenter: Segmenter, small: SmallKernels, picture: Float32Array, luma: Float32Array, timestamp_us: number, wishes: Wishes, state: Estimate | null): Promise<Estimate> {
  const seen = luma.slice();
  const given = await segmenter.segment(picture, wishes.temporal ? (state?.given ?? null) : null);
  let alpha = given;
  if (wishes.who === "nearest") alpha = small.keepLargest(alpha, segmenter.size);
  let motion: Motion | null = null;
  if (wishes.temporal) ({ alpha, motion } = small.temporal(alpha, seen, segmenter.size, state));
  return { alpha, given, motion, size: segmenter.size, timestamp_us };
}

/** Kernels that work on alpha at the network's size, in a module of their own: it serves every renderer. */
export class SmallKernels {
  constructor(private readonly kernels: Kernels) {}

  /** Alpha that settles where the picture stands still. At the start of a stream it is what it is. */
  temporal(alpha: Float32Array, luma: Float32Array, size: Size, before: Estimate | null): { alpha: Float32Array; motion: Motion } {
    if (!before?.motion || before.alpha.length !== alpha.length) return { alpha, motion: { luma, moved: new Float32Array(alpha.length).fill(1) } };
    const { kernels } = this;
    kernels.reset();
    const [now, seen, last, lastSeen, moved] = [alpha, luma, before.alpha, before.motion.luma, before.motion.moved].map((values) => this.put(values)) as [number, number, number, number, number];
    const [out, motion] = [kernels.take(alpha.byteLength), kernels.take(alpha.byteLength)];
    const scratch = kernels.take(kernels.lm.lm_scratch_bytes(2 * size.width, 2 * size.height));
    kernels.lm.lm_temporal(now, seen, last, lastSeen, moved, size.width, size.height, out, motion, scratch);
    const copy = (at: number): Float32Array => kernels.floats(at, alpha.length).slice();
    return { alpha: copy(out), motion: { luma, moved: copy(motion) } };
  }

  keepLargest(alpha: Float32Array, size: Size): Float32Array {
    const { kernels } = this;
    kernels.reset();
    const [now, out] = [this.put(alpha), kernels.take(alpha.byteLength)];
    const scratch = kernels.take(kernels.lm.lm_scratch_bytes(2 * size.width, 2 * size.height));
    kernels.lm.lm_keep_largest(now, out, size.width, size.height, SMALLEST_PART, scratch);
    return kernels.floats(out, alpha.length).slice();
  }

  /** The address of a copy in the module's memory. */
  private put(values: Float32Array): number {
    const at = this.kernels.take(values.byteLength);
    this.kernels.floats(at, values.length).set(values);
    return at;
  }
}
