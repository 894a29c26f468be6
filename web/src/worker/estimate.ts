/** The matte of a frame: network, who stays, steadiness over time. */

import type { Kernels } from "../render/kernels.js";
import type { Matte, Size } from "../render/renderer.js";
import type { Segmenter } from "../segmenter/litert.js";

/** Who stays, and how long they take to go; src/livematte/refine/nearest.py has the same, and the reasons. */
const LEAVE = 0.3;
const ENTER = 0.4;
const FADE_US = 500_000;
const FRAME_US = 1e6 / 30;

export interface Wishes {
  readonly who: "everyone" | "nearest";
  readonly temporal: boolean;
}

/** Parts of a matte: for each pixel the number of its part, and how much of it is seen. */
export interface Parts {
  readonly of: Float32Array;
  readonly shown: Float32Array;
}

/** A matte, and what the next frame of the stream must know. */
export interface Estimate extends Matte {
  readonly given: Float32Array; // by the network: neither chosen from nor steadied
  readonly parts: Parts | null;
}

/**
 * @param state the matte before, or null at the start of a stream. It comes in and goes out.
 * @throws LivematteError "engine".
 */
export async function estimate(segmenter: Segmenter, small: SmallKernels, picture: Float32Array, timestamp_us: number, wishes: Wishes, state: Estimate | null): Promise<Estimate> {
  const { size } = segmenter;
  const before = wishes.temporal ? state : null;
  const given = await segmenter.segment(picture, before?.given ?? null);
  let alpha = given;
  let parts: Parts | null = null;
  if (wishes.who === "nearest") {
    const since_us = before ? timestamp_us - before.timestamp_us : 0;
    ({ alpha, parts } = small.whoStays(alpha, size, before?.parts ?? null, (since_us > 0 ? since_us : FRAME_US) / FADE_US));
  }
  if (before?.alpha.length === alpha.length) alpha = small.temporal(alpha, before.alpha);
  return { alpha, given, parts, size, timestamp_us };
}

/** Kernels that work on alpha at the network's size, in a module of their own: it serves every renderer. */
export class SmallKernels {
  constructor(private readonly kernels: Kernels) {}

  temporal(alpha: Float32Array, before: Float32Array): Float32Array {
    this.kernels.reset();
    const [now, last, out] = [this.put(alpha), this.put(before), this.kernels.take(alpha.byteLength)];
    this.kernels.lm.lm_temporal(now, last, out, alpha.length);
    return this.kernels.floats(out, alpha.length).slice();
  }

  /** Alpha of those who stay. `step` of the fade: time since the last frame by the time of a whole one. */
  whoStays(alpha: Float32Array, { width, height }: Size, before: Parts | null, step: number): { alpha: Float32Array; parts: Parts } {
    const { kernels } = this;
    kernels.reset();
    const known = before?.of.length === alpha.length ? [this.put(before.of), this.put(before.shown)] : [0, 0];
    const [now, out, of, shown] = [this.put(alpha), ...[0, 1, 2].map(() => kernels.take(alpha.byteLength))] as [number, number, number, number];
    const scratch = kernels.take(kernels.lm.lm_scratch_bytes(2 * width, 2 * height));
    kernels.lm.lm_who_stays(now, ...(known as [number, number]), width, height, Math.min(step, 1), LEAVE, ENTER, out, of, shown, scratch);
    const copy = (at: number): Float32Array => kernels.floats(at, alpha.length).slice();
    return { alpha: copy(out), parts: { of: copy(of), shown: copy(shown) } };
  }

  /** The address of a copy in the module's memory. */
  private put(values: Float32Array): number {
    const at = this.kernels.take(values.byteLength);
    this.kernels.floats(at, values.length).set(values);
    return at;
  }
}
